package dev.pocketear

import java.io.IOException

/**
 * Where a [SoundListener] takes its samples from: [AudioRecordMicrophone], a source of the app's own,
 * or a fake in a test.
 */
public fun interface Microphone {
    /**
     * Begins to record mono samples at [sampleRate] or, where the device refuses that, at another.
     *
     * Called on the thread that then reads and closes, which waits [blockSeconds] between two reads.
     *
     * @throws IOException if nothing can be recorded now; it is tried again later
     */
    @Throws(IOException::class)
    public fun open(sampleRate: Int, blockSeconds: Double): Recording
}

/** One time of recording. All calls come from one thread. */
public interface Recording : AutoCloseable {
    /** Of the samples that are read, in Hz. */
    public val sampleRate: Int

    /**
     * Writes the samples that there are, at most [size], into [samples], without waiting for more.
     *
     * Returns how many: 0 if there are none yet, below 0 (an error of AudioRecord) if none will come.
     */
    public fun read(samples: ShortArray, size: Int): Int

    override fun close()
}
