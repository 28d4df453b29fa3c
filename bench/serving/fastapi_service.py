"""The peer: the same forest behind FastAPI and ONNX Runtime, as such services are commonly written.

It is given what makes it fast: uvloop and httptools, one thread of ONNX Runtime, no access log, and
an answer that skips FastAPI's own encoder. Prints "listening http=HOST:PORT" when it listens.
Usage: fastapi_service.py TREES_JSON_FILE
"""

import json
import socket
import sys

import numpy
import onnx
import onnxruntime
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from onnx import TensorProto, helper
from pydantic import BaseModel


def tree_attributes(forest):
    """The trees as the parallel lists of ONNX's TreeEnsembleRegressor."""
    nodes = {name: [] for name in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids")}
    nodes |= {"falsenodeids": [], "missing_value_tracks_true": []}
    leaves = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    for tree, tree_nodes in enumerate(forest["trees"]):
        for index, node in enumerate(tree_nodes):
            leaf = "value" in node
            nodes["treeids"].append(tree)
            nodes["nodeids"].append(index)
            nodes["featureids"].append(0 if leaf else node["feature"])
            nodes["values"].append(0.0 if leaf else node["threshold"])
            nodes["modes"].append("LEAF" if leaf else "BRANCH_LT")
            nodes["truenodeids"].append(0 if leaf else node["left"])
            nodes["falsenodeids"].append(0 if leaf else node["right"])
            nodes["missing_value_tracks_true"].append(0 if leaf else int(node["missing_left"]))
            if leaf:
                leaves["treeids"].append(tree)
                leaves["nodeids"].append(index)
                leaves["ids"].append(0)
                leaves["weights"].append(node["value"])
    attributes = {f"nodes_{name}": values for name, values in nodes.items()}
    attributes |= {f"target_{name}": values for name, values in leaves.items()}
    return attributes | {"n_targets": 1, "base_values": [forest["base"]], "post_transform": "NONE"}


def onnx_model(forest):
    trees = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["margin"], domain="ai.onnx.ml", **tree_attributes(forest)
    )
    link = helper.make_node("Sigmoid", ["margin"], ["probability"])
    rows = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, forest["columns"]])
    answer = helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([trees, link], "forest", [rows], [answer])
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class InferRequest(BaseModel):
    inputs: list[Tensor]


def service(session):
    app = FastAPI()

    @app.post("/v2/models/{name}/infer")
    async def infer(name: str, request: InferRequest):
        tensor = request.inputs[0]
        rows = numpy.array(tensor.data, dtype=numpy.float32).reshape(tensor.shape)
        positive = session.run(None, {"x": rows})[0][:, 0]
        count = len(positive)
        outputs = [
            {
                "name": "prediction",
                "datatype": "BYTES",
                "shape": [count],
                "data": ["true" if p >= 0.5 else "false" for p in positive],
            },
            {
                "name": "probabilities",
                "datatype": "FP64",
                "shape": [count, 2],
                "data": [value for p in positive.tolist() for value in (1.0 - p, p)],
            },
        ]
        return JSONResponse({"model_name": name, "outputs": outputs})

    return app


def main():
    with open(sys.argv[1]) as file:
        forest = json.load(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx_model(forest), options, providers=["CPUExecutionProvider"])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    print(f"listening http=127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(service(session), loop="uvloop", http="httptools", access_log=False, log_level="error")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
