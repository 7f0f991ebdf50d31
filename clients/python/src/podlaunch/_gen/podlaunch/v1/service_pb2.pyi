from podlaunch._gen.podlaunch.v1 import acknowledge_pb2 as _acknowledge_pb2
from podlaunch._gen.podlaunch.v1 import attach_pb2 as _attach_pb2
from podlaunch._gen.podlaunch.v1 import cancel_pb2 as _cancel_pb2
from podlaunch._gen.podlaunch.v1 import launch_pb2 as _launch_pb2
from podlaunch._gen.podlaunch.v1 import query_pb2 as _query_pb2
from podlaunch._gen.podlaunch.v1 import result_pb2 as _result_pb2
from podlaunch._gen.podlaunch.v1 import server_info_pb2 as _server_info_pb2
from podlaunch._gen.podlaunch.v1 import template_pb2 as _template_pb2
from podlaunch._gen.podlaunch.v1 import watch_pb2 as _watch_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
