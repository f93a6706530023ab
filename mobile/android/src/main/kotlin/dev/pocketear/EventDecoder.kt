package dev.pocketear

/**
 * Scores of successive windows to events: the same algorithm, to the last bit, as listener.py.
 *
 * Nothing is allocated a window; a [SoundEvent] is, when there is one to report.
 */
public class EventDecoder(private val card: ModelCard, private val onEvent: SoundEventCallback) {
    private val rate = card.sampleRate
    private val hop = card.hopLength
    private val middle = (card.windowLength - hop) / 2
    private val minSamples = (card.minSeconds * rate + 0.5).toLong()
    private val refractory = (card.refractorySeconds * rate + 0.5).toLong()
    private val history = Array(card.smoothing) { FloatArray(card.labels.size) }
    private val states = card.labels.withIndex()
        .filter { (_, label) -> label in card.thresholds }
        .map { (index, label) -> State(index, card.thresholds.getValue(label)) }
    private var seen = 0L
    private var next = 0L // where the next window starts, in samples

    /** Windows whose scores were not all numbers. */
    public var ignored: Int = 0
        private set

    /** Takes the scores of the next window. */
    public fun push(scores: FloatArray) {
        require(scores.size == card.labels.size) {
            "listener: ${scores.size} scores for ${card.labels.size} labels; export the model again"
        }
        val start = next + middle
        next += hop
        for (score in scores) {
            if (score.isNaN() || score.isInfinite()) {
                ignored += 1
                endAll()
                return
            }
        }
        scores.copyInto(history[(seen % history.size).toInt()])
        seen += 1
        for (index in states.indices) step(states[index], start)
    }

    /** The stream broke; its next window starts at sample [start]. */
    public fun gap(start: Long) {
        next = start
        endAll()
    }

    /** The stream is over. */
    public fun finish() {
        endAll()
    }

    /** Summed oldest first, then divided, in 32 bits: the order is part of the contract. */
    private fun mean(label: Int): Float {
        val count = minOf(seen, history.size.toLong())
        var total = 0f
        for (row in seen - count until seen) total += history[(row % history.size).toInt()][label]
        return total / count.toFloat()
    }

    private fun step(state: State, start: Long) {
        val mean = mean(state.index)
        if (!state.sounding) {
            if (mean < state.on || start < state.ready) return
            state.begin(start)
        } else if (mean < state.off) {
            end(state)
            return
        }
        state.end = start + hop
        if (mean > state.peak) state.peak = mean
        if (state.reported || state.end - state.start < minSamples) return
        state.reported = true
        onEvent.onEvent(event(state, ended = false))
    }

    private fun endAll() {
        seen = 0
        for (index in states.indices) if (states[index].sounding) end(states[index])
    }

    private fun end(state: State) {
        state.sounding = false
        if (!state.reported) return
        state.ready = state.end + refractory
        onEvent.onEvent(event(state, ended = true))
    }

    private fun event(state: State, ended: Boolean) = SoundEvent(
        card.labels[state.index],
        state.start.toDouble() / rate,
        state.end.toDouble() / rate,
        state.peak,
        ended,
    )

    /** Where one label stands. Positions in samples of the stream. */
    private inner class State(val index: Int, val on: Float) {
        val off = on - card.hysteresis
        var sounding = false
        var reported = false
        var start = 0L
        var end = 0L
        var ready = 0L
        var peak = 0f

        fun begin(at: Long) {
            sounding = true
            reported = false
            start = at
            peak = 0f
        }
    }
}
