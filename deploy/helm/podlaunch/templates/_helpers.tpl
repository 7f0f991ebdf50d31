{{- define "podlaunch.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Shorter than an object's name may be: suffixes are added to it. */}}
{{- define "podlaunch.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 48 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "podlaunch.selector" -}}
app.kubernetes.io/name: {{ include "podlaunch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "podlaunch.labels" -}}
{{ include "podlaunch.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "podlaunch.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "podlaunch.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "podlaunch.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{/* The namespace is a cluster role's too: two releases of one name must not share it. */}}
{{- define "podlaunch.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "podlaunch.fullname" .) }}
{{- end }}

{{/* Exactly the requests that are made. docs/deploy.md has a row for each; deploy/tests/real.sh takes each away. */}}
{{- define "podlaunch.rules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch]
{{- end }}

{{/* The same for the namespace of outcome records and of the Lease. */}}
{{- define "podlaunch.recordRules" -}}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, get, list, watch, update, delete]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ printf "podlaunch-%s" .Values.server.instance }}]
  verbs: [get, list, watch, update]
{{- end }}

{{/* Where the server runs, and so where it follows ConfigMaps with templates. */}}
{{- define "podlaunch.ownNamespace" -}}
{{- .Values.serviceAccount.namespace | default .Release.Namespace }}
{{- end }}

{{/* What is mounted as the folder of templates; empty: nothing. */}}
{{- define "podlaunch.templatesConfigMap" -}}
{{- if .Values.templates.existingConfigMap }}
{{- .Values.templates.existingConfigMap }}
{{- else if .Values.templates.files }}
{{- include "podlaunch.fullname" . }}-templates
{{- end }}
{{- end }}

{{/* By default where the server runs: the release's namespace, or that of the pod which it is a sidecar of. */}}
{{- define "podlaunch.recordNamespace" -}}
{{- .Values.records.namespace | default .Values.serviceAccount.namespace | default .Release.Namespace }}
{{- end }}

{{- define "podlaunch.subjects" -}}
- kind: ServiceAccount
  name: {{ include "podlaunch.serviceAccount" . }}
  namespace: {{ .Values.serviceAccount.namespace | default .Release.Namespace }}
{{- end }}

{{- define "podlaunch.socket" -}}
unix:/run/podlaunch/podlaunch.sock
{{- end }}

{{- define "podlaunch.tlsSecret" -}}
{{- .Values.tls.existingSecret | default (printf "%s-tls" (include "podlaunch.fullname" .)) }}
{{- end }}

{{/* Whether the chart makes the certificates. */}}
{{- define "podlaunch.generatesTls" -}}
{{- if and .Values.deployment.enabled .Values.listener.enabled (not .Values.tls.existingSecret) }}true{{ end }}
{{- end }}

{{- define "podlaunch.probe" -}}
exec:
  command:
    {{- if .command }}
    {{- toYaml .command | nindent 4 }}
    {{- else }}
    - /usr/bin/podlaunch
    - info
    - --endpoint
    - {{ include "podlaunch.socket" . }}
    {{- if .ready }}
    - --ready
    {{- end }}
    {{- end }}
{{ toYaml .times }}
{{- end }}

{{/* Values that contradict each other, where a schema cannot say it. */}}
{{- define "podlaunch.check" -}}
{{- $callers := or .Values.tls.clientAuth .Values.auth.tokens.existingSecret }}
{{- if and .Values.deployment.enabled .Values.listener.enabled }}
{{- if and (not $callers) (not .Values.auth.allowUnauthenticated) }}
{{- fail "no caller would be known: set tls.clientAuth, auth.tokens.existingSecret or, if whoever reaches the port may launch pods, auth.allowUnauthenticated" }}
{{- end }}
{{- if and $callers .Values.auth.allowUnauthenticated }}
{{- fail "auth.allowUnauthenticated contradicts tls.clientAuth and auth.tokens.existingSecret: set one of them" }}
{{- end }}
{{- end }}
{{- if and .Values.templates.files .Values.templates.existingConfigMap }}
{{- fail "templates.files and templates.existingConfigMap are both set: one folder is mounted; leave one out" }}
{{- end }}
{{- if and (not .Values.deployment.enabled) (or .Values.templates.files .Values.templates.existingConfigMap .Values.enforced) }}
{{- fail "templates and enforced are for the server of this chart's Deployment, which deployment.enabled leaves out: give them to the server that runs elsewhere, by its flags" }}
{{- end }}
{{- if and .Values.serviceAccount.namespace (or .Values.serviceAccount.create .Values.deployment.enabled) }}
{{- fail "serviceAccount.namespace names an account of another pod: set serviceAccount.create and deployment.enabled to false with it" }}
{{- end }}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) .Values.rbac.create }}
{{- fail "the rights would go to the namespace's default account, which other pods use: set serviceAccount.name" }}
{{- end }}
{{- end }}
