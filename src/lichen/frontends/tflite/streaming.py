"""Operators on resource variables; see `variables`."""

from __future__ import annotations

from lichen.frontends.tflite.node import Node
from lichen.frontends.tflite.rules import rule


@rule("VAR_HANDLE", "VarHandleOptions", inputs=(0, 0))
def _var_handle(node: Node) -> None:
    node.graph.variables.define_handle(node.record, node.graph.tensor(node.record.outputs[0]))


@rule("READ_VARIABLE", "ReadVariableOptions")
def _read_variable(node: Node) -> None:
    node.emit("read_state", [node.graph.variables.state(node.record.inputs[0], node.result_type(), node.where)])


@rule("ASSIGN_VARIABLE", "AssignVariableOptions", inputs=(2, 2), outputs=(0, 0))
def _assign_variable(node: Node) -> None:
    value = node.operand(1)
    node.emit("write_state", [node.graph.variables.state(node.record.inputs[0], value.type, node.where), value])


@rule("CALL_ONCE", "CallOnceOptions", inputs=(0, 0), outputs=(0, 0))
def _call_once(node: Node) -> None:
    node.graph.variables.call_once(node.option("init_subgraph_index"), node.where)
