package dev.pocketear

/** A window of samples to one score a label. */
public fun interface Model {
    /** Writes the scores of [window] into [scores]. */
    public fun run(window: FloatArray, scores: FloatArray)
}

/**
 * Samples at the model's rate to events: windows, model, [Listener]. One thread at a time.
 *
 * A window of digital silence, which is what Android gives to an app that may not hear, is not put
 * to the model: all its scores are 0.
 */
public class Hearing(card: ModelCard, private val model: Model, tell: (Event) -> Unit) {
    private val buffer = WindowBuffer(card.windowLength, card.hopLength)
    private val listener = Listener(card, tell)
    private val scores = FloatArray(card.labels.size)
    private val hear: (FloatArray) -> Unit = ::hear

    /** Windows whose scores were not all numbers: a model that does not work here. */
    public val ignored: Int get() = listener.ignored

    /** Takes the first [size] of [samples], -1 to 1. */
    public fun push(samples: FloatArray, size: Int = samples.size) {
        buffer.push(samples, size, hear)
    }

    /** [lost] samples are missing here. */
    public fun lose(lost: Long) {
        buffer.lose(lost)
        listener.gap(buffer.start)
    }

    /** The stream is over. */
    public fun finish() {
        buffer.finish()?.let(hear)
        listener.finish()
    }

    private fun hear(window: FloatArray) {
        if (window.all { it == 0f }) scores.fill(0f) else model.run(window, scores)
        listener.push(scores)
    }
}
