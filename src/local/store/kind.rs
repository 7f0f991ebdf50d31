//! The kinds of object the local cluster keeps, and how each is named in URLs and in JSON.

/// A kind of object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Kind {
    Pod,
    Event,
    Namespace,
    Node,
    Secret,
    ConfigMap,
    Lease,
    ServiceAccount,
}

impl Kind {
    /// Every kind, in a fixed order.
    pub const ALL: [Kind; 8] = [
        Kind::Pod,
        Kind::Event,
        Kind::Namespace,
        Kind::Node,
        Kind::Secret,
        Kind::ConfigMap,
        Kind::Lease,
        Kind::ServiceAccount,
    ];

    /// The kind as JSON's `kind` says it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pod => "Pod",
            Kind::Event => "Event",
            Kind::Namespace => "Namespace",
            Kind::Node => "Node",
            Kind::Secret => "Secret",
            Kind::ConfigMap => "ConfigMap",
            Kind::Lease => "Lease",
            Kind::ServiceAccount => "ServiceAccount",
        }
    }

    /// The resource as a URL says it.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Pod => "pods",
            Kind::Event => "events",
            Kind::Namespace => "namespaces",
            Kind::Node => "nodes",
            Kind::Secret => "secrets",
            Kind::ConfigMap => "configmaps",
            Kind::Lease => "leases",
            Kind::ServiceAccount => "serviceaccounts",
        }
    }

    /// The singular kubectl shows.
    pub fn singular(self) -> &'static str {
        match self {
            Kind::Pod => "pod",
            Kind::Event => "event",
            Kind::Namespace => "namespace",
            Kind::Node => "node",
            Kind::Secret => "secret",
            Kind::ConfigMap => "configmap",
            Kind::Lease => "lease",
            Kind::ServiceAccount => "serviceaccount",
        }
    }

    /// kubectl's short names.
    pub fn short_names(self) -> &'static [&'static str] {
        match self {
            Kind::Pod => &["po"],
            Kind::Event => &["ev"],
            Kind::Namespace => &["ns"],
            Kind::Node => &["no"],
            Kind::ConfigMap => &["cm"],
            Kind::ServiceAccount => &["sa"],
            Kind::Secret | Kind::Lease => &[],
        }
    }

    /// The API group, empty for the core group.
    pub fn group(self) -> &'static str {
        match self {
            Kind::Lease => "coordination.k8s.io",
            _ => "",
        }
    }

    /// `apiVersion` of its objects.
    pub fn api_version(self) -> &'static str {
        match self {
            Kind::Lease => "coordination.k8s.io/v1",
            _ => "v1",
        }
    }

    /// Whether its objects live in a namespace.
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Kind::Namespace | Kind::Node)
    }

    /// The resource with its group, as Status messages name it (`leases.coordination.k8s.io`).
    pub fn qualified(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
    }
}
