package dev.pocketear

import kotlin.math.abs

/** A window of samples to one score a label. */
public fun interface Model {
    /**
     * Writes the scores of [window] into [scores].
     *
     * [carried]: the window run last is the one a hop earlier in the same unbroken stream, so only the
     * newest hop of samples is new. The scores are the same as without.
     */
    public fun run(window: FloatArray, carried: Boolean, scores: FloatArray)
}

/**
 * Samples at the model's rate to events: windows, model, [Listener]. One thread at a time.
 *
 * A window with no sample beyond the card's quiet peak is not put to the model: all its scores are 0.
 * Digital silence, which is what Android gives to an app that may not hear, is always quiet.
 */
public class Hearing(private val card: ModelCard, private val model: Model, tell: (Event) -> Unit) {
    private val buffer = WindowBuffer(card.windowLength, card.hopLength)
    private val listener = Listener(card, tell)
    private val scores = FloatArray(card.labels.size)
    private val hear: (FloatArray) -> Unit = ::hear
    private val quietPeak = card.quietPeak.toFloat()
    private var quiet = 0 // samples at the end of the last window that are quiet
    private var next = BROKEN // where a window that follows the last one starts
    private var ran = false // whether the last window was put to the model

    /** Windows whose scores were not all numbers: a model that does not work here. */
    public val ignored: Int get() = listener.ignored

    /** Takes the first [size] of [samples], -1 to 1. */
    public fun push(samples: FloatArray, size: Int = samples.size) {
        buffer.push(samples, size, hear)
    }

    /** [lost] samples are missing here. */
    public fun lose(lost: Long) {
        buffer.lose(lost)
        next = BROKEN
        listener.gap(buffer.start)
    }

    /** The stream is over. */
    public fun finish() {
        buffer.finish()?.let(hear)
        listener.finish()
    }

    private fun hear(window: FloatArray) {
        val follows = buffer.start == next
        val carried = follows && ran
        quiet = quietAtEnd(window, follows)
        next = buffer.start + card.hopLength
        ran = false // also if the model throws
        if (quiet == window.size) {
            scores.fill(0f)
        } else {
            model.run(window, carried, scores)
            ran = true
        }
        listener.push(scores)
    }

    /** How many samples at the end are quiet. Of a window that [follows] only the newest hop is new. */
    private fun quietAtEnd(window: FloatArray, follows: Boolean): Int {
        val known = if (follows) window.size - card.hopLength else 0
        var at = window.size
        while (at > known && abs(window[at - 1]) <= quietPeak) at -= 1 // not a number is not quiet
        return if (follows && at == known) minOf(quiet + card.hopLength, window.size) else window.size - at
    }

    private companion object {
        const val BROKEN = -1L
    }
}
