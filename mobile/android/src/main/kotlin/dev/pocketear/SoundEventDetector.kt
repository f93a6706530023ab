package dev.pocketear

import kotlin.math.abs

/**
 * Samples at the model's rate to events: windows, model, [EventDecoder].
 *
 * A window with no sample beyond the card's quiet peak is not put to the model: all its scores are 0.
 * Digital silence, which is what Android gives to an app that may not record, is always quiet. Nor is
 * a window with a sample that is not finite: it has no scores, so it is ignored and ends what sounds.
 *
 * One thread at a time pushes; [close] may be called from any other. Events come on the thread that
 * pushes or closes.
 */
public class SoundEventDetector(
    private val card: ModelCard,
    private val model: SoundModel,
    onEvent: SoundEventCallback,
) : AutoCloseable {
    private val buffer = WindowBuffer(card.windowLength, card.hopLength)
    private val decoder = EventDecoder(card, onEvent) // also the lock: the model runs outside of it
    private val scores = FloatArray(card.labels.size)
    private val classify: (FloatArray) -> Unit = ::classify
    private val quietPeak = card.quietPeak.toFloat()
    private var quiet = 0 // samples at the end of the last window that are quiet
    private var finite = 0 // and that are finite
    private var next = BROKEN // where a window that follows the last one starts
    private var ran = false // whether the last window was put to the model

    @Volatile
    private var closed = false

    /** Windows without scores: samples that are not finite, or a model that does not work here. */
    public val ignored: Int get() = synchronized(decoder) { decoder.ignored }

    /**
     * Takes the first [size] of [samples], -1 to 1.
     *
     * If the model throws, the stream is broken there and goes on after [samples].
     */
    @JvmOverloads
    public fun push(samples: FloatArray, size: Int = samples.size) {
        val end = buffer.end + size
        var whole = false
        try {
            buffer.push(samples, size, classify)
            whole = true
        } finally {
            if (!whole) skip(end - buffer.end)
        }
    }

    /** [count] samples are missing here. */
    public fun skip(count: Long) {
        buffer.skip(count)
        next = BROKEN
        synchronized(decoder) { if (!closed) decoder.gap(buffer.start) }
    }

    /** The stream is over. One shorter than a window is classified now, zero-padded. */
    public fun finish() {
        buffer.finish()?.let(classify)
        close()
    }

    /** Ends what sounds at once, also while the model runs. There is no event after it returned. */
    override fun close() {
        synchronized(decoder) {
            if (closed) return
            closed = true
            decoder.finish()
        }
    }

    private fun classify(window: FloatArray) {
        if (closed) return
        val follows = buffer.start == next
        val carried = follows && ran
        quiet = atEnd(window, follows, quiet) { abs(it) <= quietPeak }
        finite = atEnd(window, follows, finite) { abs(it) <= Float.MAX_VALUE }
        next = buffer.start + card.hopLength
        ran = false // also if the model throws
        if (finite < window.size) {
            scores.fill(Float.NaN)
        } else if (quiet == window.size) {
            scores.fill(0f)
        } else {
            model.run(window, carried, scores)
            ran = true
        }
        synchronized(decoder) { if (!closed) decoder.push(scores) }
    }

    /**
     * Of how many samples at the end [holds] is true. Of a window that [follows] only the newest hop is
     * new; [before] is the number of the window before it.
     */
    private inline fun atEnd(
        window: FloatArray, follows: Boolean, before: Int, holds: (Float) -> Boolean,
    ): Int {
        val known = if (follows) window.size - card.hopLength else 0
        var at = window.size
        while (at > known && holds(window[at - 1])) at -= 1
        return if (follows && at == known) minOf(before + card.hopLength, window.size) else window.size - at
    }

    private companion object {
        const val BROKEN = -1L
    }
}
