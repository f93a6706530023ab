"""Single operations of an ML Program, each with the value that TensorFlow or NumPy gives for it.

A case is (build, expected): `build` makes the op with coremltools' builder from the three inputs,
`expected` computes it from the same arrays. Layouts: image (1, 4, 11, 9) and sequence (1, 4, 37)
have channels second, as Core ML has it; TensorFlow wants them last.
"""

import numpy as np

_RNG = np.random.default_rng(5)
SHAPES = {"image": (1, 4, 11, 9), "sequence": (1, 4, 37), "matrix": (5, 8)}
INPUTS = {name: _RNG.uniform(-3, 3, shape).astype(np.float32) for name, shape in SHAPES.items()}


def weights(*shape):
    """The same weights every time for one shape."""
    return np.random.default_rng(sum(shape)).normal(0, 0.5, shape).astype(np.float32)


def last(x):
    """Channels second -> last."""
    return np.moveaxis(x, 1, -1)


def second(x):
    """Channels last -> second."""
    return np.moveaxis(np.asarray(x), -1, 1)


def conv_cases(mb, tf):
    """Convolutions: strides, dilations, paddings, groups, one and two dimensions."""

    def two(kernel, strides=(1, 1), dilations=(1, 1), pad_type="valid", pads=None, groups=1):
        weight, bias = weights(6 if groups == 1 else 8, 4 // groups, *kernel), weights(6)
        options = {"strides": strides, "dilations": dilations, "pad_type": pad_type}
        if pads and pad_type == "custom":
            options["pad"] = np.array(pads).ravel()

        def build(image, sequence, matrix):
            more = {"bias": bias} if groups == 1 else {"groups": groups}
            return mb.conv(x=image, weight=weight, **options, **more)

        def expected(image, sequence, matrix):
            padding = pad_type.upper() if pads is None else [(0, 0), *pads, (0, 0)]
            parts = [
                tf.nn.conv2d(
                    last(x), np.moveaxis(w, (0, 1), (3, 2)), strides, padding, dilations=dilations
                )
                for x, w in zip(np.split(image, groups, 1), np.split(weight, groups), strict=True)
            ]
            result = second(tf.concat(parts, -1))
            return result + bias[:, None, None] if groups == 1 else result

        return build, expected

    yield "conv valid", two((3, 3))
    yield "conv same", two((3, 3), pad_type="same")
    yield "conv same, even kernel", two((4, 2), pad_type="same")
    yield "conv same, strided", two((3, 3), strides=(2, 2), pad_type="same")
    yield "conv same, stride above kernel", two((2, 2), strides=(3, 4), pad_type="same")
    yield "conv same, dilated", two((3, 3), dilations=(2, 3), pad_type="same")
    yield "conv custom", two((3, 2), (2, 1), pad_type="custom", pads=[(1, 2), (0, 3)])
    # of an odd total, same_lower pads one more before: 11 rows, stride 2, kernel 4: 3 = 2 + 1
    yield "conv same_lower", two((4, 4), (2, 2), pad_type="same_lower", pads=[(2, 1), (2, 1)])
    yield "conv 1x1", two((1, 1))
    yield "conv grouped", two((3, 3), pad_type="same", groups=2)
    yield "conv depthwise", two((3, 3), (2, 2), pad_type="same", groups=4)

    taps = weights(5, 4, 7)
    yield (
        "conv one dimension",
        (
            lambda image, sequence, matrix: mb.conv(
                x=sequence, weight=taps, strides=[3], dilations=[2], pad_type="valid"
            ),
            lambda image, sequence, matrix: second(
                # TensorFlow has either a stride or a dilation: every third of all
                tf.nn.conv1d(last(sequence), taps.transpose(2, 1, 0), 1, "VALID", dilations=2)
            )[..., ::3],
        ),
    )


def pool_cases(mb, tf):
    """Largest and mean of windows."""

    def pool(op, kernel, strides, pad_type, **options):
        reference = {"max_pool": tf.nn.max_pool2d, "avg_pool": tf.nn.avg_pool2d}[op]

        def build(image, sequence, matrix):
            return getattr(mb, op)(
                x=image, kernel_sizes=kernel, strides=strides, pad_type=pad_type, **options
            )

        def expected(image, sequence, matrix):
            return second(reference(last(image), kernel, strides, pad_type.upper()))

        return build, expected

    yield "max_pool valid", pool("max_pool", [2, 3], [2, 2], "valid")
    yield "max_pool same", pool("max_pool", [3, 3], [2, 2], "same")
    yield "avg_pool valid", pool("avg_pool", [3, 2], [1, 2], "valid")
    yield (
        "avg_pool same",  # TensorFlow leaves the padding out of the mean
        pool("avg_pool", [3, 3], [2, 2], "same", exclude_padding_from_average=True),
    )
    yield (
        "avg_pool custom",
        (
            lambda image, sequence, matrix: mb.avg_pool(
                x=image, kernel_sizes=[2, 2], strides=[1, 1], pad_type="custom", pad=[1, 0, 0, 1]
            ),
            lambda image, sequence, matrix: second(
                tf.nn.avg_pool2d(
                    np.pad(last(image), [(0, 0), (1, 0), (0, 1), (0, 0)]), 2, 1, "VALID"
                )
            ),
        ),
    )


def elementwise_cases(mb, tf):
    """Element by element, one and two arguments."""
    other = weights(5, 8)
    unary = {
        "abs": (mb.abs, tf.abs),
        "clip": (
            lambda x: mb.clip(x=x, alpha=-0.5, beta=1.5),
            lambda x: tf.clip_by_value(x, -0.5, 1.5),
        ),
        "elu": (lambda x: mb.elu(x=x, alpha=1.0), tf.nn.elu),
        "exp": (mb.exp, tf.exp),
        "gelu": (lambda x: mb.gelu(x=x, mode="EXACT"), tf.nn.gelu),
        "hard swish": (
            lambda x: mb.mul(x=x, y=mb.sigmoid_hard(x=x, alpha=1 / 6, beta=0.5)),
            lambda x: x * tf.nn.relu6(x + 3) / 6,
        ),
        "leaky_relu": (lambda x: mb.leaky_relu(x=x, alpha=0.1), lambda x: tf.nn.leaky_relu(x, 0.1)),
        "log": (
            lambda x: mb.log(x=mb.abs(x=x), epsilon=1e-3),
            lambda x: tf.math.log(tf.abs(x) + 1e-3),
        ),
        "pow": (lambda x: mb.pow(x=mb.abs(x=x), y=0.3), lambda x: tf.pow(tf.abs(x), 0.3)),
        "relu": (mb.relu, tf.nn.relu),
        "relu6": (mb.relu6, tf.nn.relu6),
        "rsqrt": (
            lambda x: mb.rsqrt(x=mb.abs(x=x), epsilon=1e-2),
            lambda x: tf.math.rsqrt(tf.abs(x) + 1e-2),
        ),
        "sigmoid": (mb.sigmoid, tf.sigmoid),
        "silu": (mb.silu, tf.nn.silu),
        "softplus": (mb.softplus, tf.nn.softplus),
        "sqrt": (lambda x: mb.sqrt(x=mb.abs(x=x)), lambda x: tf.sqrt(tf.abs(x))),
        "square": (mb.square, tf.square),
        "tanh": (mb.tanh, tf.tanh),
        "cast": (
            lambda x: mb.cast(x=mb.cast(x=x, dtype="int32"), dtype="fp32"),
            lambda x: tf.cast(tf.cast(x, tf.int32), tf.float32),
        ),
    }
    binary = {
        "add": tf.add, "sub": tf.subtract, "mul": tf.multiply, "real_div": tf.divide,
        "maximum": tf.maximum, "minimum": tf.minimum,
    }  # fmt: skip

    def one(op, reference):
        return (
            lambda image, sequence, matrix: op(x=matrix) if hasattr(op, "__self__") else op(matrix),
            lambda image, sequence, matrix: reference(matrix),
        )

    def two(name, reference):
        return (
            lambda image, sequence, matrix: getattr(mb, name)(x=matrix, y=other),
            lambda image, sequence, matrix: reference(matrix, other),
        )

    for name, (op, reference) in unary.items():
        yield name, one(op, reference)
    for name, reference in binary.items():
        yield name, two(name, reference)


def sum_cases(mb, tf):
    """Sums of products, reductions, normalisation."""
    square, bias = weights(8, 6), weights(6)
    mean, variance = weights(4), weights(4) ** 2 + 0.1
    gamma, beta = weights(4) + 2, weights(4) - 1
    yield (
        "matmul",
        (
            lambda image, sequence, matrix: mb.matmul(x=matrix, y=square),
            lambda image, sequence, matrix: tf.matmul(matrix, square),
        ),
    )
    yield (
        "matmul transposed",
        (
            lambda image, sequence, matrix: mb.matmul(
                x=square, y=matrix, transpose_x=True, transpose_y=True
            ),
            lambda image, sequence, matrix: tf.matmul(square.T, matrix.T),
        ),
    )
    yield (
        "linear",
        (
            lambda image, sequence, matrix: mb.linear(x=matrix, weight=square.T, bias=bias),
            lambda image, sequence, matrix: tf.matmul(matrix, square) + bias,
        ),
    )
    for name in ("mean", "sum", "max", "min"):
        yield (
            f"reduce_{name}",
            (
                lambda image, sequence, matrix, name=name: getattr(mb, f"reduce_{name}")(
                    x=image, axes=[2, -1], keep_dims=name == "sum"
                ),
                lambda image, sequence, matrix, name=name: getattr(tf, f"reduce_{name}")(
                    image, [2, 3], keepdims=name == "sum"
                ),
            ),
        )
    yield (
        "softmax",
        (
            lambda image, sequence, matrix: mb.softmax(x=image, axis=1),
            lambda image, sequence, matrix: tf.nn.softmax(image, 1),
        ),
    )
    yield (
        "batch_norm",
        (
            lambda image, sequence, matrix: mb.batch_norm(
                x=image, mean=mean, variance=variance, gamma=gamma, beta=beta, epsilon=1e-3
            ),
            lambda image, sequence, matrix: second(
                tf.nn.batch_normalization(last(image), mean, variance, beta, gamma, 1e-3)
            ),
        ),
    )
    yield (
        "batch_norm, plain",
        (
            lambda image, sequence, matrix: mb.batch_norm(x=sequence, mean=mean, variance=variance),
            lambda image, sequence, matrix: second(
                tf.nn.batch_normalization(last(sequence), mean, variance, None, None, 1e-5)
            ),
        ),
    )


def shape_cases(mb, tf):
    """What moves numbers without changing them."""
    moves = {
        "reshape": (lambda x: mb.reshape(x=x, shape=[4, -1]), lambda x: x.reshape(4, -1)),
        "transpose": (
            lambda x: mb.transpose(x=x, perm=[0, 3, 1, 2]),
            lambda x: x.transpose(0, 3, 1, 2),
        ),
        "squeeze": (lambda x: mb.squeeze(x=x, axes=[0]), lambda x: x[0]),
        "expand_dims": (lambda x: mb.expand_dims(x=x, axes=[-1]), lambda x: x[..., None]),
        "slice_by_index": (
            lambda x: mb.slice_by_index(
                x=x, begin=[0, 1, -1, 2], end=[1, 3, 0, 9], stride=[1, 1, -2, 3],
                end_mask=[True, False, True, False],
            ),
            lambda x: x[:, 1:3, -1::-2, 2:9:3],
        ),
        "slice_by_index, squeezed": (
            lambda x: mb.slice_by_index(
                x=x, begin=[0, 2, 0, 0], end=[0, 0, 0, 0], squeeze_mask=[False, True, False, False],
                begin_mask=[True, False, True, True], end_mask=[True, False, True, True],
            ),
            lambda x: x[:, 2],
        ),
        "slice_by_size": (
            lambda x: mb.slice_by_size(x=x, begin=[0, 1, 2, 3], size=[1, 2, -1, 4]),
            lambda x: x[:, 1:3, 2:, 3:7],
        ),
        "split": (
            lambda x: mb.concat(values=mb.split(x=x, num_splits=2, axis=1)[::-1], axis=1),
            lambda x: np.concatenate(np.split(x, 2, 1)[::-1], 1),
        ),
        "split by sizes": (
            lambda x: mb.split(x=x, split_sizes=[1, 7, 1], axis=-1)[1],
            lambda x: x[..., 1:8],
        ),
        "stack": (
            lambda x: mb.stack(values=[x, mb.reverse(x=x, axes=[3])], axis=1),
            lambda x: np.stack([x, x[..., ::-1]], 1),
        ),
        "pad with a constant": (
            lambda x: mb.pad(x=x, pad=[1, 2, 0, 3], mode="constant", constant_val=-7.0),
            lambda x: np.pad(x, [(0, 0), (0, 0), (1, 2), (0, 3)], constant_values=-7.0),
        ),
        "pad by reflection": (
            lambda x: mb.pad(x=x, pad=[2, 1, 3, 0], mode="reflect"),
            lambda x: tf.pad(x, [(0, 0), (0, 0), (2, 1), (3, 0)], "REFLECT"),
        ),
        "pad by the edge": (
            lambda x: mb.pad(x=x, pad=[1, 1], mode="replicate"),
            lambda x: np.pad(x, [(0, 0), (0, 0), (0, 0), (1, 1)], "edge"),
        ),
        "gather": (
            lambda x: mb.gather(x=x, indices=np.array([3, 0, 3], np.int32), axis=1),
            lambda x: tf.gather(x, [3, 0, 3], axis=1),
        ),
    }  # fmt: skip
    for name, (op, reference) in moves.items():
        yield (
            name,
            (
                lambda image, sequence, matrix, op=op: op(image),
                lambda image, sequence, matrix, reference=reference: reference(image),
            ),
        )


def cases(mb, tf):
    """Every case, by name."""
    kinds = (conv_cases, pool_cases, elementwise_cases, sum_cases, shape_cases)
    return {name: case for kind in kinds for name, case in kind(mb, tf)}
