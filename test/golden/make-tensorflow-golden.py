"""Makes test/golden/tensorflow: the two halves of a small convolutional VAE in Keras, written by tf2onnx as it
writes them by default (channels last) and with channels first, and the loss terms and gradients that TensorFlow
computes.

    pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0
    python test/golden/make-tensorflow-golden.py
"""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf2onnx
from tensorflow.keras import layers

FOLDER = Path(__file__).parent / "tensorflow"
OPSET = 18
SIDE, CHANNELS, LATENT, ROWS = 12, 2, 3, 4


def make_encoder():
    x = layers.Input((SIDE, SIDE, CHANNELS), name="picture")
    # Stride 2 over an even side: TensorFlow pads below and to the right only.
    h = layers.Conv2D(6, 3, strides=2, padding="same", name="stem")(x)
    h = layers.BatchNormalization(name="norm")(h)
    h = layers.Activation("swish")(h)
    h = layers.SeparableConv2D(8, 3, padding="same", name="separable")(h)
    h = layers.LeakyReLU(negative_slope=0.1)(h)
    h = layers.MaxPooling2D(2)(h)
    h = layers.LayerNormalization(name="layer_norm")(h)
    h = layers.Flatten()(h)
    mean = layers.Dense(LATENT, name="z_mean")(h)
    log_variance = layers.Dense(LATENT, name="z_log_var")(h)
    return tf.keras.Model(x, [mean, log_variance], name="encoder")


def make_decoder():
    z = layers.Input((LATENT,), name="code")
    h = layers.Dense(3 * 3 * 8, name="widen")(z)
    # tf2onnx knows the approximation by tanh; it has nothing for the exact one.
    h = layers.Activation(lambda x: tf.keras.activations.gelu(x, approximate=True))(h)
    h = layers.Reshape((3, 3, 8))(h)
    h = layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="elu", name="up")(h)
    h = layers.GroupNormalization(2, name="group_norm")(h)
    h = layers.UpSampling2D(2, interpolation="bilinear")(h)
    out = layers.Conv2D(CHANNELS, 3, padding="same", activation="sigmoid", name="picture_out")(h)
    return tf.keras.Model(z, out, name="decoder")


def randomise(model, rng):
    """Weights that leave nothing at its start: norms and biases too."""
    for weight in model.weights:
        values = rng.normal(0, 0.3, weight.shape)
        if "variance" in weight.path or "gamma" in weight.path:
            values = 1 + 0.2 * np.abs(values)
        weight.assign(values.astype(np.float32))


def export(model, signature, name, **options):
    proto, _ = tf2onnx.convert.from_keras(model, input_signature=[signature], opset=OPSET, **options)
    (FOLDER / f"{name}.onnx").write_bytes(proto.SerializeToString())
    print(name, sorted({node.op_type for node in proto.graph.node}))


def main():
    FOLDER.mkdir(exist_ok=True)
    rng = np.random.default_rng(11)
    encoder, decoder = make_encoder(), make_decoder()
    randomise(encoder, rng)
    randomise(decoder, rng)
    picture = tf.TensorSpec((None, SIDE, SIDE, CHANNELS), tf.float32, name="picture")
    code = tf.TensorSpec((None, LATENT), tf.float32, name="code")
    export(encoder, picture, "last-encoder")
    export(decoder, code, "last-decoder")
    export(encoder, picture, "first-encoder", inputs_as_nchw=["picture"])
    export(decoder, code, "first-decoder", outputs_as_nchw=[decoder.output_names[0]])

    x = rng.uniform(0, 1, (ROWS, SIDE, SIDE, CHANNELS)).astype(np.float32)
    epsilon = rng.normal(0, 1, (ROWS, LATENT)).astype(np.float32)
    with tf.GradientTape() as tape:
        mean, log_variance = encoder(x, training=False)
        z = mean + tf.exp(0.5 * log_variance) * epsilon
        out = decoder(z, training=False)
        logits = tf.math.log(out) - tf.math.log1p(-out)
        cross = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
        reconstruction = tf.reduce_mean(tf.reduce_sum(cross, [1, 2, 3]))
        kl = tf.reduce_mean(tf.reduce_sum(0.5 * (mean**2 + tf.exp(log_variance) - 1 - log_variance), 1))
        loss = reconstruction + kl
    weights = {
        f"{half}.{weight.path}": weight
        for half, model in (("encoder", encoder), ("decoder", decoder))
        for weight in model.trainable_weights
    }
    gradients = tape.gradient(loss, list(weights.values()))

    def numbers(array):
        return [float(f"{value:.9g}") for value in np.asarray(array).ravel()]

    golden = {
        "picture": numbers(x),
        "epsilon": numbers(epsilon),
        "mean": numbers(mean),
        "logVariance": numbers(log_variance),
        "decoded": numbers(decoder(mean, training=False)),
        "loss": float(loss),
        "reconstruction": float(reconstruction),
        "kl": float(kl),
        "gradients": {
            name: {"shape": list(gradient.shape), "values": numbers(gradient)}
            for name, gradient in zip(weights, gradients)
        },
    }
    (FOLDER / "golden.json").write_text(json.dumps(golden))


main()
