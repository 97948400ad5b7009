"""The online layer: a head that learns sample by sample, with everything that keeps count around it.

Ren, Anicic and Runkler, "TinyOL: TinyML with online-learning on microcontrollers", arXiv 2103.08295.

How this works inside: `make_trainable` gives the head and its gradients; here operators are put between. The features are standardised
in front of the head. The logits of classes that do not exist yet are masked in front of the loss; that leaves the gradient as it is,
for softmax gives those classes probability 0. The target's neuron takes the place of the target. Gradient descent is shown the loss
through a gate: where that says it is no number, nothing is learned.
"""

from __future__ import annotations

from collections.abc import Mapping

from lichen.ir.module import Array, Function, Module, Operation, State, Value
from lichen.ir.types import DType, TensorType
from lichen.ir.verify import verify
from lichen.learning.append import before, compute
from lichen.learning.choice import OnlineLayer, Sleep
from lichen.learning.class_map import ClassMap
from lichen.learning.drift import DriftDetector, LearningGate
from lichen.learning.metrics import ConfusionMatrix, ErrorMeans, Metrics, RegressionErrors, accuracy, macro_f1
from lichen.learning.standardiser import Standardiser
from lichen.learning.trainable import make_trainable
from lichen.passes.gradient_descent import GradientDescent

LABELS, CONFUSION, ERRORS, ASLEEP = "online_labels", "online_confusion", "online_errors", "online_gate_asleep"
"""The states that say how an online layer does."""


def make_online(module: Module, layer: OnlineLayer, how: GradientDescent) -> Module:
    """A copy of `module` that ends in an online layer, with a function `learn` beside `infer`.

    `learn` is one step of TinyOL: statistics, prediction, metrics, then learning. It takes the model's inputs and `target` and returns
    the loss and the prediction. For the softmax cross-entropy `target` is any label from 0, or a negative number for a sample without
    one; two results more are the predicted label, -1 before the first class, and the target's neuron, -1 for a class too many, -2
    without a label. With `sleep` the last result is 1 where the sample was learned from. State holds `online_confusion` (see
    `lichen.learning.metrics`), or `online_errors` for the other losses.

    `infer` returns the prediction, and the predicted label, and changes no state. Raises what `make_trainable` raises, and
    `InputError` for labels that do not fit.
    """
    module = make_trainable(module, layer.head, layer.loss, how)
    infer, learn = module.infer, module.functions["learn"]
    standardiser = Standardiser("online_features", _head(infer).operands[0].type.shape, layer.forgetting)
    _standardise(infer, standardiser, learning=False)
    features = _standardise(learn, standardiser, learning=True)
    if layer.loss == "softmax_cross_entropy":
        classes = ClassMap("online", layer.head.classes, layer.labels)
        _name_prediction(infer, classes)
        _grow(learn, classes)
    else:
        _judge(learn)
    if layer.sleep is not None:
        _let_sleep(learn, features, layer.sleep)
    verify(module)
    return module


def is_online(states: Mapping[str, Array]) -> bool:
    """Whether these are the states, by name, of a model with an online layer."""
    return ERRORS in states or CONFUSION in states


def metrics_of(states: Mapping[str, Array]) -> Metrics:
    """What the states of an online layer, by name, say of it."""
    awake = not (ASLEEP in states and states[ASLEEP][0])
    if ERRORS in states:
        return Metrics(errors=RegressionErrors.of(states[ERRORS]), awake=awake)
    labels = tuple(int(label) for label in states[LABELS] if label >= 0)
    matrix = states[CONFUSION][: len(labels), : len(labels)]
    return Metrics(accuracy(matrix), macro_f1(matrix), labels, matrix, awake=awake)


def _head(function: Function) -> Operation:
    """The dense layer that learns."""
    return next(op for op in function.operations if op.kind == "dense" and isinstance(op.operands[1], State))


def _standardise(function: Function, standardiser: Standardiser, learning: bool) -> Value:
    """All that used the head's input uses it standardised; the standardised features."""
    head = _head(function)
    features = head.operands[0]
    users = function.consumers(features)
    with before(function, head):
        result = standardiser.learn(function, features) if learning else standardiser.apply(function, features)
    _exchange(users, features, result)
    return result


def _name_prediction(function: Function, classes: ClassMap) -> None:
    """Classes that do not exist have no probability, and the label of the best is returned."""
    softmax = function.producer(function.outputs[0])
    assert softmax is not None
    with before(function, softmax):
        masked = classes.mask(function, softmax.operands[0])
        label = classes.label_of(function, classes.best(function, masked))
    softmax.operands = [masked]
    function.outputs.append(label)


def _grow(function: Function, classes: ClassMap) -> None:
    """Predicts and counts by the classes known so far, then learns with the class of the target among them."""
    loss = function.producer(function.outputs[0])
    assert loss is not None
    logits, target = loss.operands
    users = function.consumers(target)
    confusion = ConfusionMatrix(CONFUSION, logits.type.elements)
    with before(function, loss):
        best = classes.best(function, classes.mask(function, logits))
        label = classes.label_of(function, best)
        neuron = classes.assign(function, target)
        confusion.count(function, neuron, best)
        masked = classes.mask(function, logits)
    _exchange(users, target, neuron)
    _exchange([loss], logits, masked)
    function.outputs += [label, neuron]


def _judge(function: Function) -> None:
    """Counts the errors of predictions before they are learned from."""
    loss = function.producer(function.outputs[0])
    assert loss is not None
    end = function.operations.index(loss) + 1
    with before(function, function.operations[end]):
        ErrorMeans(ERRORS).track(function, function.outputs[1], loss.operands[1])


def _let_sleep(function: Function, features: Value, sleep: Sleep) -> None:
    """Gradient descent sees the loss only while the gate is open."""
    loss = function.outputs[0]
    descent = next(op for op in function.operations if op.kind in ("sgd", "sgd_batch"))
    of_loss = DriftDetector("online_loss_drift", loss.type.shape, threshold=sleep.loss_drift)
    of_features = DriftDetector("online_feature_drift", features.type.shape, threshold=sleep.feature_drift)
    gate = LearningGate("online_gate", sleep.good_enough, sleep.min_instances, sleep.forgetting)
    with before(function, descent):
        flags = [
            _row(function, of_loss.watch(function, loss)),
            _row(function, of_features.watch(function, features)),
        ]
        every = TensorType((1, sum(f.type.elements for f in flags)), DType.INT32)
        (drift,) = compute(function, "concat", flags, {"online_drift": every}, axis=1)
        enabled, lesson = gate.decide(function, loss, drift)
    _exchange([descent], loss, lesson)
    function.outputs.append(enabled)


def _row(function: Function, flags: Value) -> Value:
    return compute(function, "reshape", [flags], {flags.name: flags.type.with_shape(1, flags.type.elements)})[0]


def _exchange(users: list[Operation], old: Value, new: Value) -> None:
    for op in users:
        op.operands = [new if v is old else v for v in op.operands]
