package dev.pocketear

import android.annotation.SuppressLint
import android.media.AudioFormat
import android.media.AudioRecord
import android.media.MediaRecorder
import android.os.Process
import java.io.IOException

/**
 * The microphone, captured on a thread of its own into [queue] until [close].
 *
 * [block] samples at a time, which is a hop: no window is complete before.
 */
internal class Microphone(
    private val record: AudioRecord,
    private val block: Int,
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

    /** Stops capturing, without waiting for a whole block. No more samples will come. */
    fun close() {
        open = false
        record.stop() // a read returns at once
        thread.interrupt() // a sleep too
        thread.join()
        record.release()
    }

    private fun capture() {
        Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_AUDIO)
        val samples = ShortArray(block)
        var problem: IOException? = null
        while (open && problem == null) {
            sleep()
            val size = record.read(samples, 0, block)
            if (size >= 0) {
                queue.offer(samples, size)
            } else if (open) {
                problem = IOException("the microphone was taken away (AudioRecord error $size); start again")
            }
        }
        queue.close()
        problem?.let(failed)
    }

    /**
     * Until the block is almost whole. Who waits in read is woken by Android for every buffer of the
     * device, some fifty times a second; read is left to wait for the last of them only.
     *
     * source: ServerProxy::releaseBuffer in AOSP, libaudioclient/AudioTrackShared.cpp
     */
    private fun sleep() {
        try {
            Thread.sleep(maxOf(0, block * 1_000L / record.sampleRate - REST_MS))
        } catch (_: InterruptedException) {
            // by close
        }
    }

    companion object {
        private const val REST_MS = 40L
        private const val BUFFER_SECONDS = 1 // beside a block
        private const val BYTES_PER_SAMPLE = 2

        /** Every Android device captures at 44100 Hz; many at others too, few refuse 48000. */
        private val FALLBACK_RATES = listOf(48_000, 44_100)

        /** The hop of [card] in samples at [rate], rounded up. */
        fun hopAt(rate: Int, card: ModelCard): Int =
            ((card.hopLength.toLong() * rate + card.sampleRate - 1) / card.sampleRate).toInt()

        /**
         * Opens the microphone at the rate of [card] or, where the device refuses that, at another.
         *
         * @throws IOException if it opens at none
         */
        @SuppressLint("MissingPermission") // SoundListener.start has asked
        fun open(card: ModelCard): AudioRecord =
            (listOf(card.sampleRate) + FALLBACK_RATES).firstNotNullOfOrNull { tryRate(it, hopAt(it, card)) }
                ?: throw IOException("the microphone opens at no sample rate: another app may hold it")

        @SuppressLint("MissingPermission")
        private fun tryRate(rate: Int, block: Int): AudioRecord? {
            val least = AudioRecord.getMinBufferSize(rate, CHANNEL, ENCODING)
            if (least <= 0) return null
            val size = maxOf(least, (block + rate * BUFFER_SECONDS) * BYTES_PER_SAMPLE)
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
