package dev.pocketear

import android.annotation.SuppressLint
import android.media.AudioFormat
import android.media.AudioRecord
import android.media.MediaRecorder
import android.os.Process
import java.io.IOException

/** The microphone, captured on a thread of its own into [queue] until [close]. */
internal class Microphone(
    private val record: AudioRecord,
    private val queue: SampleQueue,
    private val failed: (IOException) -> Unit,
) {
    @Volatile
    private var open = true
    private val thread = Thread(::capture, "pocketear-capture")

    fun start() {
        record.startRecording()
        if (record.recordingState != AudioRecord.RECORDSTATE_RECORDING) {
            record.release()
            throw IOException("the microphone does not start: another app may hold it")
        }
        thread.start()
    }

    /** Stops capturing. Returns when no more samples will come. */
    fun close() {
        open = false
        if (thread.isAlive && Thread.currentThread() != thread) thread.join()
    }

    private fun capture() {
        Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_AUDIO)
        val block = ShortArray(record.sampleRate / BLOCKS_PER_SECOND)
        var problem: IOException? = null
        while (open && problem == null) {
            val size = record.read(block, 0, block.size)
            if (size >= 0) {
                queue.offer(block, size)
            } else {
                problem = IOException("the microphone was taken away (AudioRecord error $size); start again")
            }
        }
        record.stop()
        record.release()
        queue.close()
        problem?.let(failed)
    }

    companion object {
        private const val BLOCKS_PER_SECOND = 50
        private const val BUFFER_SECONDS = 1
        private const val BYTES_PER_SAMPLE = 2

        /** Every Android device captures at 44100 Hz; many at others too, few refuse 48000. */
        private val FALLBACK_RATES = listOf(48_000, 44_100)

        /**
         * Opens the microphone at [wanted] Hz or, where the device refuses that, at another rate.
         *
         * @throws IOException if it opens at none
         */
        @SuppressLint("MissingPermission") // SoundListener.start has asked
        fun open(wanted: Int): AudioRecord =
            (listOf(wanted) + FALLBACK_RATES).firstNotNullOfOrNull(::tryRate)
                ?: throw IOException("the microphone opens at no sample rate: another app may hold it")

        @SuppressLint("MissingPermission")
        private fun tryRate(rate: Int): AudioRecord? {
            val least = AudioRecord.getMinBufferSize(rate, CHANNEL, ENCODING)
            if (least <= 0) return null
            val size = maxOf(least, rate * BUFFER_SECONDS * BYTES_PER_SAMPLE)
            val record = try {
                // Not the default source: its gain control and noise suppression differ by device.
                AudioRecord(MediaRecorder.AudioSource.VOICE_RECOGNITION, rate, CHANNEL, ENCODING, size)
            } catch (_: IllegalArgumentException) {
                return null
            }
            if (record.state == AudioRecord.STATE_INITIALIZED) return record
            record.release()
            return null
        }

        private const val CHANNEL = AudioFormat.CHANNEL_IN_MONO
        private const val ENCODING = AudioFormat.ENCODING_PCM_16BIT
    }
}
