"""Which operators a served graph may hold, and the walk over a graph that finds the others.

The list is explicit: an operator is on it when its result depends on its inputs alone and it
touches no file, no random stream and no process. Graphs are handed in; where they come from is
not known here.
"""

from collections.abc import Iterator

from torch._C import Block, Graph, Node

from model_store.errors import Fault
from model_store.ownership import check_writes

_SCRIPT = """
prim::Constant prim::GetAttr prim::If prim::Loop prim::RaiseException prim::Uninitialized
prim::ListConstruct prim::ListUnpack prim::TupleConstruct prim::TupleIndex prim::TupleSlice
prim::TupleUnpack prim::NumToTensor prim::unchecked_cast prim::unchecked_unwrap_optional prim::abs
prim::max prim::min prim::device prim::dtype prim::layout prim::rangelist aten::Bool aten::Float
aten::FloatImplicit aten::Int aten::IntImplicit aten::ScalarImplicit aten::__and__
aten::__contains__ aten::__derive_index aten::__getitem__ aten::__is__ aten::__isnot__
aten::__not__ aten::__or__ aten::__range_length aten::append aten::extend aten::format aten::len
aten::list aten::item aten::str
"""
_ARITHMETIC = """
aten::abs aten::add aten::addcdiv aten::addcmul aten::bitwise_and aten::bitwise_not
aten::bitwise_or aten::ceil aten::clamp aten::clamp_max aten::clamp_min aten::clip aten::cos
aten::cosh aten::digamma aten::div aten::divide aten::eq aten::erf aten::erfc aten::exp aten::exp2
aten::expm1 aten::floor aten::floor_divide aten::floordiv aten::fmod aten::frac aten::ge aten::gt
aten::isfinite aten::isinf aten::isnan aten::le aten::lerp aten::lgamma aten::log aten::log10
aten::log1p aten::log2 aten::logaddexp aten::logical_and aten::logical_not aten::logical_or
aten::logit aten::lt aten::maximum aten::minimum aten::mul aten::multiply aten::nan_to_num
aten::ne aten::neg aten::negative aten::pow aten::reciprocal aten::remainder aten::round
aten::rsqrt aten::rsub aten::sign aten::sin aten::sinh aten::special_expit aten::special_log_ndtr
aten::special_ndtr aten::special_ndtri aten::sqrt aten::square aten::sub aten::subtract aten::tan
aten::true_divide aten::trunc aten::where aten::xlogy
"""
_LAYERS = """
aten::_convolution aten::addmm aten::baddbmm aten::bilinear aten::bmm aten::conv1d aten::conv2d
aten::conv3d aten::conv_transpose1d aten::conv_transpose2d aten::conv_transpose3d
aten::convolution aten::dot aten::einsum aten::embedding aten::linear aten::matmul aten::mm
aten::mv aten::batch_norm aten::group_norm aten::instance_norm aten::layer_norm
aten::native_group_norm aten::native_layer_norm aten::rms_norm aten::scaled_dot_product_attention
aten::celu aten::elu aten::gelu aten::glu aten::hardsigmoid aten::hardswish aten::hardtanh
aten::leaky_relu aten::log_sigmoid aten::log_softmax aten::mish aten::prelu aten::relu aten::relu6
aten::selu aten::sigmoid aten::silu aten::softmax aten::softplus aten::softshrink aten::hardshrink
aten::tanh aten::tanhshrink aten::threshold aten::adaptive_avg_pool1d aten::adaptive_avg_pool2d
aten::adaptive_avg_pool3d aten::adaptive_max_pool2d aten::avg_pool1d aten::avg_pool2d
aten::avg_pool3d aten::max_pool1d aten::max_pool2d aten::max_pool3d aten::pixel_shuffle
aten::pixel_unshuffle aten::channel_shuffle aten::_upsample_bicubic2d_aa
aten::_upsample_bilinear2d_aa aten::_upsample_lanczos2d_aa aten::_upsample_nearest_exact1d
aten::_upsample_nearest_exact2d aten::_upsample_nearest_exact3d aten::upsample_bicubic2d
aten::upsample_bilinear2d aten::upsample_linear1d aten::upsample_nearest1d
aten::upsample_nearest2d aten::upsample_nearest3d aten::upsample_trilinear3d
aten::binary_cross_entropy aten::binary_cross_entropy_with_logits aten::mse_loss aten::l1_loss
aten::poisson_nll_loss aten::smooth_l1_loss aten::huber_loss aten::nll_loss_nd aten::kl_div
aten::cross_entropy_loss aten::cosine_similarity aten::pairwise_distance
"""
_SHAPES = """
aten::broadcast_shapes aten::broadcast_tensors aten::broadcast_to aten::cat aten::chunk
aten::concat aten::constant_pad_nd aten::contiguous aten::clone aten::copy aten::detach
aten::diagonal aten::dim aten::expand aten::expand_as aten::fill aten::flatten aten::flip
aten::gather aten::hstack aten::im2col aten::col2im aten::index aten::index_put aten::index_select
aten::is_floating_point aten::masked_fill aten::masked_select aten::meshgrid aten::movedim
aten::moveaxis aten::narrow aten::numel aten::pad aten::permute aten::ravel aten::reflection_pad1d
aten::reflection_pad2d aten::repeat aten::repeat_interleave aten::replication_pad1d
aten::replication_pad2d aten::reshape aten::reshape_as aten::roll aten::scatter aten::select
aten::size aten::slice aten::split aten::split_with_sizes aten::squeeze aten::stack aten::swapaxes
aten::t aten::tensor_split aten::tile aten::to aten::transpose aten::tril aten::triu aten::type_as
aten::unbind aten::unflatten aten::unfold aten::unsqueeze aten::view aten::view_as aten::vstack
aten::zero aten::arange aten::eye aten::full aten::full_like aten::linspace aten::new_full
aten::new_ones aten::new_zeros aten::one_hot aten::ones aten::ones_like aten::scalar_tensor
aten::tensor aten::zeros aten::zeros_like
"""
_REDUCTIONS = """
aten::all aten::amax aten::amin aten::any aten::argmax aten::argmin aten::argsort aten::cdist
aten::count_nonzero aten::cumprod aten::cumsum aten::linalg_norm aten::linalg_vector_norm
aten::logcumsumexp aten::logsumexp aten::max aten::mean aten::min aten::norm aten::prod aten::sort
aten::std aten::std_mean aten::sum aten::topk aten::var aten::var_mean
"""
ALLOWED = frozenset(" ".join((_SCRIPT, _ARITHMETIC, _LAYERS, _SHAPES, _REDUCTIONS)).split())

# What layers hold for training alone: harmless to load, and gone once freezing knows that the
# module is in evaluation mode. What is left of it then is refused by `check_pure`.
_GONE_WHEN_FROZEN = frozenset(
    [
        "aten::alpha_dropout",
        "aten::dropout",
        "aten::feature_alpha_dropout",
        "aten::feature_dropout",
        "aten::warn",  # prints
        "prim::SetAttr",
    ]
)

# Arguments that make an allowed operator random or dependent on the batch, and their safe value.
_SWITCHED_OFF: dict[str, tuple[str, float]] = {
    "aten::batch_norm": ("training", False),
    "aten::scaled_dot_product_attention": ("dropout_p", 0.0),
}


def check_operators(method: str, graph: Graph, extra: frozenset[str]) -> None:
    """Fault naming the operators of a loaded method, calls inlined, that may not even be run."""
    known = ALLOWED | _GONE_WHEN_FROZEN | extra
    refused = {
        node.kind()
        for node in _nodes(graph)
        if node.kind() not in known and _out_of_place(node.kind()) not in known
    }
    if refused:
        names = ",".join(sorted(refused))
        raise Fault(
            f"{method} uses {names}, not on the list of operators that read nothing but their "
            "inputs; export the model without it, or, if it is pure and you trust the model, "
            f"allow it with LATENTD_EXTRA_OPERATORS={names}"
        )


def check_pure(export: str, graph: Graph, extra: frozenset[str]) -> None:
    """Fault where a frozen export is random, prints, or keeps something from call to call.

    Freezing turns each attribute that no method changes into a constant, so an attribute that is
    still read or written is state. So is a constant or an input that is written to.
    """
    for node in _nodes(graph):
        kind = node.kind()
        if kind in ("prim::GetAttr", "prim::SetAttr"):
            raise Fault(
                f"{export} keeps state in the attribute {node.s('name')!r}; an answer must depend "
                "on the input alone: export the model without writing to its attributes"
            )
        if kind.removesuffix("_") in _GONE_WHEN_FROZEN and kind not in extra:
            raise Fault(f"{export} still uses {kind} in evaluation mode; export without it")
        if kind in _SWITCHED_OFF:
            _check_switch(export, node, *_SWITCHED_OFF[kind])
    check_writes(export, graph)


def _check_switch(export: str, node: Node, switch: str, off: float) -> None:
    value: object = node.namedInput(switch).toIValue()  # None where it is no constant
    if value != off:
        raise Fault(
            f"{export} uses {node.kind()} with {switch}={value} where it must be the constant "
            f"{off}; call .eval() on the model before scripting it"
        )


def _nodes(block: Graph | Block) -> Iterator[Node]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _out_of_place(kind: str) -> str:
    """`aten::relu` for `aten::relu_`: what it may write to is looked at once it is frozen."""
    return kind[:-1] if kind.endswith("_") and not kind.endswith("__") else kind
