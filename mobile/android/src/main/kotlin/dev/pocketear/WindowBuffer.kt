package dev.pocketear

/** A stream cut into windows, [hop] samples apart. Allocates nothing after it is made. */
internal class WindowBuffer(windowLength: Int, private val hop: Int) {
    private val held = FloatArray(windowLength)
    private var count = 0
    private var whole = false // whether a window came out since the start, or since a gap

    /** Index in the stream of the first sample held. */
    var start: Long = 0
        private set

    /** Index in the stream of the next sample. */
    val end: Long get() = start + count

    /**
     * Takes [size] samples; hands each window to [use] as it fills up, valid until it returns.
     *
     * If [use] throws, the samples that follow its window are not taken.
     */
    fun push(samples: FloatArray, size: Int = samples.size, use: (FloatArray) -> Unit) {
        var taken = 0
        while (taken < size) {
            val more = minOf(size - taken, held.size - count)
            samples.copyInto(held, count, taken, taken + more)
            count += more
            taken += more
            if (count == held.size) {
                whole = true
                try {
                    use(held)
                } finally {
                    held.copyInto(held, 0, hop, held.size)
                    count -= hop
                    start += hop
                }
            }
        }
    }

    /** [missing] samples of the stream are missing: no window spans them. */
    fun skip(missing: Long) {
        start += count + missing
        count = 0
        whole = false
    }

    /** The window of a stream shorter than a window, zero-padded at its end; else null. */
    fun finish(): FloatArray? {
        if (whole || count == 0) return null
        held.fill(0f, count)
        return held
    }
}
