package dev.pocketear

import java.io.IOException
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/** What a [ListeningSession] reports, on its own threads. */
internal interface SessionReports {
    fun event(event: SoundEvent)

    fun state(state: ListenerState)

    fun failed(error: Exception)
}

/** How long a session waits for what. */
internal class Patience(
    val firstRetryMillis: Long = 250,
    val longestRetryMillis: Long = 8_000,
    /** Without a sample for so long, a recording counts as dead. */
    val stallMillis: Long = 5_000,
    /** With samples of 0 alone for so long, the app counts as silenced. */
    val silenceMillis: Long = 2_000,
    /** How much sound waits for a slow model, beside the block that comes in, before it is dropped. */
    val backlogMillis: Long = 4_000,
    /** How much sound that is not quiet the bandwidth of a recording is measured over. */
    val bandwidthMillis: Long = 10_000,
)

/**
 * One time of listening, over as many pauses and losses of the microphone as it takes.
 *
 * One thread opens, reads and closes the microphone; one runs the model, and closes it at the end. No
 * call waits for either. [nanos]: a clock that goes on while the phone sleeps.
 */
internal class ListeningSession(
    private val card: ModelCard,
    private val model: LoadedModel,
    private val microphone: Microphone,
    private val reports: SessionReports,
    private val nanos: () -> Long,
    private val patience: Patience = Patience(),
) : AutoCloseable {
    private val detector = SoundEventDetector(card, model, reports::event)
    private val stretches = LinkedBlockingQueue<Stretch>()
    private val lock = ReentrantLock()
    private val changed = lock.newCondition()
    private var state: ListenerState? = null
    private var lastSample = 0L // by the clock; this and the next are of the capturing thread
    private var began = false // whether a sample ever came

    @Volatile
    private var paused = false

    @Volatile
    private var closed = false

    @Volatile
    private var current: Reading? = null

    /** Windows that had no scores. */
    val ignored: Int get() = detector.ignored

    /** Up to which frequency the recording holds sound, in Hz; null until it is known. */
    val inputBandwidth: Double? get() = current?.meter?.hertz

    /** Begins to listen. */
    fun start() {
        Thread(::capture, "pocketear-capture").start()
        Thread(::infer, "pocketear-inference").start()
    }

    /** Leaves the microphone until [resume]; what sounds is ended. */
    fun pause() = change { paused = true }

    /** Takes the microphone again. */
    fun resume() = change { paused = false }

    /** Ends what sounds, and then all else behind it. Nothing is reported after it returned. */
    override fun close() {
        detector.close()
        change { closed = true }
        current?.queue?.close()
        stretches.put(END)
    }

    private fun change(what: () -> Unit) = lock.withLock {
        what()
        changed.signalAll()
    }

    /** Waits for [millis], or until a call changes something. */
    private fun rest(millis: Long) = lock.withLock {
        if (!closed && !paused) changed.await(millis, TimeUnit.MILLISECONDS)
    }

    private fun report(new: ListenerState) = lock.withLock {
        if (closed || new == state) return
        state = new
        reports.state(new)
    }

    private fun fail(error: Exception) {
        detector.close()
        lock.withLock { if (!closed) reports.failed(error) }
        close()
    }

    private fun capture() {
        var wait = patience.firstRetryMillis
        var opened = false // ever
        while (!closed) {
            if (paused) {
                report(ListenerState.Paused(PauseReason.HIDDEN))
                lock.withLock { while (paused && !closed) changed.await() }
                continue
            }
            try {
                val recording = microphone.open(card.sampleRate, card.hopLength.toDouble() / card.sampleRate)
                opened = true
                if (record(recording)) wait = patience.firstRetryMillis
            } catch (error: IOException) {
                if (!opened) return fail(error)
            } catch (error: RuntimeException) { // of permission, for example
                return fail(error)
            }
            if (paused || closed) continue
            report(ListenerState.Paused(PauseReason.MICROPHONE_UNAVAILABLE))
            rest(wait)
            wait = minOf(2 * wait, patience.longestRetryMillis)
        }
    }

    /** Reads until a call or the device ends it; returns whether a sample came. */
    private fun record(recording: Recording): Boolean = recording.use {
        val reading = Reading(recording)
        current = reading
        report(ListenerState.Starting)
        try {
            while (!closed && !paused) {
                rest(reading.millisToHop)
                if (!reading.takeAll() || reading.stalled) break
            }
        } finally {
            reading.queue.close()
        }
        reading.total > 0
    }

    private fun infer() {
        try {
            while (true) {
                val stretch = stretches.take()
                if (stretch === END || closed) return
                detector.skip(stretch.missing)
                drain(stretch.queue, stretch.rate, card.sampleRate, detector, stretch.meter)
                detector.skip(0) // ends what sounds
            }
        } catch (error: RuntimeException) { // of the model's runtime
            fail(error)
        } finally {
            model.close()
        }
    }

    /** What one recording gave so far. Of the capturing thread. */
    private inner class Reading(private val recording: Recording) {
        private val rate = recording.sampleRate
        private val hop = card.hopAt(rate)
        private val block = ShortArray(hop + 2 * (SLACK_MILLIS * rate / 1_000).toInt())
        private val silence = Silence(patience.silenceMillis * rate / 1_000)
        private val opened = nanos()
        private val backlog = (patience.backlogMillis * rate / 1_000).toInt()
        val queue = SampleQueue(block.size + backlog, hop, Resampler.ahead(rate, card.sampleRate))
        val meter = BandwidthMeter(card.sampleRate, patience.bandwidthMillis, card.quietPeak.toFloat())
        var total = 0L

        /** Until the next hop is there, and a little more: who wakes too early must wake again. */
        val millisToHop get() = queue.untilStep * 1_000L / rate + SLACK_MILLIS

        /** Whether nothing came for too long. */
        val stalled get() = nanos() - maxOf(lastSample, opened) > patience.stallMillis * NANOS_PER_MILLI

        /** Takes all that waits, which after a burst is more than a block; false if the device is dead. */
        fun takeAll(): Boolean {
            while (!closed && !paused) {
                val size = recording.read(block, block.size)
                if (size < 0) return false
                if (size > 0) take(size)
                if (size < block.size) return true
            }
            return true
        }

        private fun take(size: Int) {
            if (total == 0L) begin(size)
            queue.offer(block, size)
            total += size
            lastSample = nanos()
            report(if (silence.after(block, size)) ListenerState.Silenced else listening())
        }

        private fun listening(): ListenerState {
            val narrow = meter.hertz?.takeIf { it < card.bandwidth }
            return if (narrow == null) ListenerState.Listening else ListenerState.Narrow(narrow)
        }

        /** The first samples came: by the clock, what lies between them and the last ones is missing. */
        private fun begin(size: Int) {
            val since = nanos() - lastSample - size * NANOS_PER_SECOND / rate
            val missing = if (began) maxOf(0, since * card.sampleRate / NANOS_PER_SECOND) else 0
            began = true
            stretches.put(Stretch(queue, rate, missing, meter))
        }
    }

    /** Samples of one recording, and how many at the model's rate are missing before them. */
    private class Stretch(val queue: SampleQueue, val rate: Int, val missing: Long, val meter: BandwidthMeter?)

    private companion object {
        const val SLACK_MILLIS = 20L // devices give samples some 5 to 20 ms at a time
        const val NANOS_PER_MILLI = 1_000_000L
        const val NANOS_PER_SECOND = 1_000_000_000L
        val END = Stretch(SampleQueue(0, 1), 0, 0, null)
    }
}

/** Whether all samples were 0 for [limit] samples or more. */
private class Silence(private val limit: Long) {
    private var zeros = 0L

    fun after(samples: ShortArray, size: Int): Boolean {
        var at = size
        while (at > 0 && samples[at - 1] == 0.toShort()) at -= 1
        zeros = if (at == 0) zeros + size else (size - at).toLong()
        return zeros >= limit
    }
}

/** Feeds [detector] from [queue], resampled where the rates differ, until the queue is closed. */
internal fun drain(
    queue: SampleQueue, rate: Int, wanted: Int, detector: SoundEventDetector, meter: BandwidthMeter? = null,
) {
    val block = FloatArray(BLOCK)
    val resampler = if (rate == wanted) null else Resampler(rate, wanted, BLOCK)
    while (true) {
        val size = queue.take(block)
        when {
            size < 0 -> return
            size == 0 -> {
                detector.skip(queue.takeLost() * wanted / rate)
                resampler?.reset()
                meter?.skip()
            }
            else -> {
                val samples = resampler?.output ?: block
                val count = resampler?.push(block, size) ?: size
                meter?.push(samples, count)
                detector.push(samples, count)
            }
        }
    }
}

private const val BLOCK = 1024
