package dev.pocketear

import java.lang.management.ManagementFactory
import java.util.Collections
import java.util.concurrent.CountDownLatch
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread
import kotlin.math.PI
import kotlin.math.sin
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class SoundEventDetectorTest {
    private val barking = SoundModel { _, _, scores -> scores[1] = 0.9f }

    @Test
    fun anHourOfDigitalSilenceIsNotPutToTheModel() {
        val detector = SoundEventDetector(plainCard(16_000, 8_000, 16_000), { _, _, _ -> error("run") }) { error("an event") }
        val second = FloatArray(16_000)
        repeat(3_600) { detector.push(second) }
        detector.finish()
    }

    @Test
    fun aClipShorterThanAWindowIsClassifiedOncePadded() {
        val windows = mutableListOf<List<Float>>()
        val detector = SoundEventDetector(plainCard(), { window, _, _ -> windows += window.toList() }) {}
        detector.push(floatArrayOf(1f, 2f, 3f))
        detector.finish()
        assertEquals(listOf(listOf(1f, 2f, 3f, 0f, 0f, 0f, 0f, 0f)), windows)
    }

    @Test
    fun theReferenceRunsTheSameWindowsAndCarriesTheSame() {
        for (case in Vectors.cases("detector.json")) {
            val samples = samplesOf(case)
            val expected = case.getJSONArray("windows").objects().filter { it.getBoolean("run") }.map {
                val start = it.getInt("start")
                it.getBoolean("carried") to samples.subList(start, start + case.getInt("window_length"))
            }
            val found = mutableListOf<Pair<Boolean, List<Float>>>()
            stream(case) { window, carried, scores ->
                found += carried to window.toList()
                scores.fill(0f)
            }
            assertEquals(case.getString("name"), expected, found)
        }
    }

    /** What a model that takes one chunk at a time gives does not depend on what is carried. */
    @Test
    fun carriedOrNotTheScoresAreTheSame() {
        for (case in Vectors.cases("detector.json").filter { it.getInt("window_length") != 10 }) {
            val chunks = case.getInt("window_length") / case.getInt("hop_length")
            val found = mutableListOf<Float>()
            val expected = mutableListOf<Float>()
            val carrying = sums(case.getInt("hop_length"), chunks)
            val starting = sums(case.getInt("hop_length"), chunks)
            stream(case) { window, carried, scores ->
                carrying.run(window, carried, scores)
                found += scores[1]
                starting.run(window, false, scores)
                expected += scores[1]
            }
            assertEquals(case.getString("name"), expected, found)
        }
    }

    /** The window that threw is not run again, and what followed it in the block is missing. */
    @Test
    fun afterAModelThatThrewTheStreamGoesOnInTime() {
        val found = mutableListOf<Boolean>()
        val starts = mutableListOf<Double>()
        val model = SoundModel { _, carried, scores ->
            found += carried
            check(found.size != 2) { "second" }
            scores[1] = 0.9f
        }
        val detector = SoundEventDetector(plainCard(), model) { starts += it.startSeconds }
        detector.push(FloatArray(8) { 1f })
        assertThrows(IllegalStateException::class.java) { detector.push(FloatArray(7) { 1f }) }
        detector.push(FloatArray(12) { 1f })
        assertEquals(listOf(false, true, false, true), found)
        // Begun at 2 of the first window, ended by the error, begun anew in the window from 15 on.
        assertEquals(listOf(0.5, 0.5, 17 / 4.0), starts)
    }

    @Test
    fun closingEndsWhatSoundsWhileTheModelRunsAndNothingFollows() {
        val events = Collections.synchronizedList(mutableListOf<SoundEvent>())
        val running = CountDownLatch(1)
        val goOn = CountDownLatch(1)
        var runs = 0
        val detector = SoundEventDetector(plainCard(), { _, _, scores ->
            runs += 1
            scores[1] = 0.9f
            if (runs == 2) {
                running.countDown()
                goOn.await()
            }
        }, events::add)
        val pushing = thread { detector.push(FloatArray(80) { 1f }) }
        running.await()
        detector.close()
        assertEquals(listOf(false, true), events.map { it.ended })
        goOn.countDown()
        pushing.join()
        assertEquals(2, events.size)
        assertEquals(2, runs)
    }

    /** All samples of a case's stream: those lost, and those after its end, are 0. */
    private fun samplesOf(case: JSONObject): List<Float> =
        case.getJSONArray("steps").objects().flatMap { step ->
            if (step.has("lost")) List(step.getInt("lost")) { 0f } else step.getJSONArray("samples").floats().toList()
        } + List(case.getInt("window_length")) { 0f }

    private fun stream(case: JSONObject, model: SoundModel) {
        val card = plainCard(
            case.getInt("window_length"), case.getInt("hop_length"), quietPeak = case.getDouble("quiet_peak"),
        )
        val detector = SoundEventDetector(card, model) {}
        for (step in case.getJSONArray("steps").objects()) {
            if (step.has("lost")) detector.skip(step.getLong("lost"))
            else detector.push(step.getJSONArray("samples").floats())
        }
        detector.finish()
        assertEquals(case.getString("name"), case.getInt("ignored"), detector.ignored)
        assertEquals(case.getString("name"), case.getInt("ignored"), detector.ignored)
    }

    @Test
    fun aLossEndsWhatSounds() {
        val events = mutableListOf<SoundEvent>()
        val detector = SoundEventDetector(plainCard(), barking, events::add)
        detector.push(FloatArray(16) { 1f })
        detector.skip(40)
        assertEquals(listOf(false, true), events.map { it.ended })
        detector.push(FloatArray(8) { 1f })
        assertEquals((16 + 40 + 2) / 4.0, events.last().startSeconds, 0.0)
    }

    @Test
    fun aModelOfNotANumberIsCounted() {
        val detector = SoundEventDetector(plainCard(), { _, _, scores -> scores.fill(Float.NaN) }) { error("an event") }
        detector.push(FloatArray(80) { 1f })
        assertEquals(19, detector.ignored)
    }

    /** Nothing for a garbage collector to do while nothing sounds: it would make capture stutter. */
    @Test
    fun aWindowAllocatesNothing() {
        val model = ChunkRunner(8_000, 2, 2) { _, _, scores, _ -> scores.put(0f).put(0.1f) }
        val detector = SoundEventDetector(plainCard(16_000, 8_000, 16_000), model) {}
        val queue = SampleQueue(48_000, 1)
        val resampler = Resampler(48_000, 16_000, 480)
        val block = ShortArray(480) { (it * 50).toShort() }
        val samples = FloatArray(480)
        fun tenMilliseconds() {
            queue.offer(block, block.size)
            detector.push(resampler.output, resampler.push(samples, queue.take(samples)))
        }
        repeat(2_000) { tenMilliseconds() }
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        val before = threads.getThreadAllocatedBytes(Thread.currentThread().id)
        repeat(10_000) { tenMilliseconds() }
        val bytes = threads.getThreadAllocatedBytes(Thread.currentThread().id) - before
        assertTrue("$bytes bytes in 200 windows", bytes < 5_000)
    }

    @Test
    fun aDeviceAt44100IsResampledTo16000() {
        for (rate in listOf(16_000, 44_100, 48_000)) {
            val queue = SampleQueue(rate * 4, 1)
            val samples = ShortArray(rate * 3) { (20_000 * sin(2 * PI * 440 * it / rate)).toInt().toShort() }
            val windows = mutableListOf<FloatArray>()
            val detector = SoundEventDetector(plainCard(16_000, 8_000, 16_000), { window, _, _ -> windows += window.copyOf() }) {}
            val inference = thread { drain(queue, rate, 16_000, detector) }
            for (start in samples.indices step 441) {
                val block = samples.copyOfRange(start, minOf(start + 441, samples.size))
                queue.offer(block, block.size)
            }
            queue.close()
            inference.join()
            assertTrue("$rate: ${windows.size}", windows.size in 4..5)
            val expected = FloatArray(16_000) { (20_000 / 32_768.0 * sin(2 * PI * 440 * (it + 8_000) / 16_000)).toFloat() }
            for (i in expected.indices) assertEquals("$rate at $i", expected[i], windows[1][i], 1e-3f)
        }
    }

    /** Else a window would wait for the next hop. */
    @Test
    fun whatASessionWaitsForCompletesAWindow() {
        val card = plainCard(16_000, 8_000, 16_000)
        for (rate in listOf(16_000, 22_050, 44_100, 48_000)) {
            val queue = SampleQueue(rate * 4, card.hopAt(rate), Resampler.ahead(rate, card.sampleRate))
            val runs = AtomicInteger()
            val detector = SoundEventDetector(card, { _, _, _ -> runs.incrementAndGet() }) {}
            val inference = thread { drain(queue, rate, card.sampleRate, detector) }
            for (hop in 1..5) {
                val size = queue.untilStep
                queue.offer(ShortArray(size) { 1_000 }, size)
                val end = System.nanoTime() + 5_000_000_000
                while (runs.get() < hop - 1 && System.nanoTime() < end) Thread.sleep(2)
                assertEquals("$rate after $hop hops", hop - 1, runs.get())
            }
            queue.close()
            inference.join()
        }
    }
}
