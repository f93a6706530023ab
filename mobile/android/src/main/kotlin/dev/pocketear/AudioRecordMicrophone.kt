package dev.pocketear

import android.annotation.SuppressLint
import android.media.AudioFormat
import android.media.AudioRecord
import android.media.MediaRecorder
import android.os.Process
import java.io.IOException

/**
 * The device's microphone, without gain control or noise suppression where that can be had.
 *
 * [source]: one of MediaRecorder.AudioSource. The default source is none: its processing differs by
 * device.
 */
public class AudioRecordMicrophone @JvmOverloads constructor(
    private val source: Int = MediaRecorder.AudioSource.VOICE_RECOGNITION,
) : Microphone {
    @Throws(IOException::class)
    override fun open(sampleRate: Int, blockSeconds: Double): Recording {
        Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_AUDIO)
        val record = (listOf(sampleRate) + FALLBACK_RATES).firstNotNullOfOrNull { tryRate(it, blockSeconds) }
            ?: throw IOException("the microphone opens at no sample rate: another app may hold it")
        try {
            record.startRecording()
            if (record.recordingState == AudioRecord.RECORDSTATE_RECORDING) return Running(record)
        } catch (_: IllegalStateException) {
            // as if it did not start
        }
        record.release()
        throw IOException("the microphone does not start: another app may hold it")
    }

    @SuppressLint("MissingPermission") // SoundListener.start has asked
    private fun tryRate(rate: Int, blockSeconds: Double): AudioRecord? {
        val least = AudioRecord.getMinBufferSize(rate, CHANNEL, ENCODING)
        if (least <= 0) return null
        val size = maxOf(least, ((blockSeconds + SPARE_SECONDS) * rate).toInt() * BYTES_PER_SAMPLE)
        val record = try {
            AudioRecord(source, rate, CHANNEL, ENCODING, size)
        } catch (_: IllegalArgumentException) {
            return null
        }
        if (record.state == AudioRecord.STATE_INITIALIZED) return record
        record.release()
        return null
    }

    /** It never waits in read: Android would wake it for every buffer of the device, some fifty a second. */
    private class Running(private val record: AudioRecord) : Recording {
        override val sampleRate: Int = record.sampleRate

        override fun read(samples: ShortArray, size: Int): Int =
            record.read(samples, 0, size, AudioRecord.READ_NON_BLOCKING)

        override fun close() = record.release() // stops it too
    }

    private companion object {
        const val SPARE_SECONDS = 1.0 // beside a block
        const val BYTES_PER_SAMPLE = 2
        const val CHANNEL = AudioFormat.CHANNEL_IN_MONO
        const val ENCODING = AudioFormat.ENCODING_PCM_16BIT

        /** Every Android device captures at 44100 Hz; many at others too, few refuse 48000. */
        val FALLBACK_RATES = listOf(48_000, 44_100)
    }
}
