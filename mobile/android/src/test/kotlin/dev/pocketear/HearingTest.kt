package dev.pocketear

import java.lang.management.ManagementFactory
import kotlin.concurrent.thread
import kotlin.math.PI
import kotlin.math.sin
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class HearingTest {
    private val barking = Model { _, _, scores -> scores[1] = 0.9f }

    @Test
    fun anHourOfDigitalSilenceIsNotPutToTheModel() {
        val hearing = Hearing(plainCard(16_000, 8_000, 16_000), { _, _, _ -> error("run") }) { error("told") }
        val second = FloatArray(16_000)
        repeat(3_600) { hearing.push(second) }
        hearing.finish()
    }

    @Test
    fun aClipShorterThanAWindowIsHeardOncePadded() {
        val windows = mutableListOf<List<Float>>()
        val hearing = Hearing(plainCard(), { window, _, _ -> windows += window.toList() }) {}
        hearing.push(floatArrayOf(1f, 2f, 3f))
        hearing.finish()
        assertEquals(listOf(listOf(1f, 2f, 3f, 0f, 0f, 0f, 0f, 0f)), windows)
    }

    @Test
    fun theReferenceRunsTheSameWindowsAndCarriesTheSame() {
        for (case in Vectors.cases("hearing.json")) {
            val samples = samplesOf(case)
            val expected = case.getJSONArray("windows").objects().filter { it.getBoolean("run") }.map {
                val start = it.getInt("start")
                it.getBoolean("carried") to samples.subList(start, start + case.getInt("window_length"))
            }
            val found = mutableListOf<Pair<Boolean, List<Float>>>()
            stream(case) { window, carried, _ -> found += carried to window.toList() }
            assertEquals(case.getString("name"), expected, found)
        }
    }

    /** What a model that takes one chunk at a time gives does not depend on what is carried. */
    @Test
    fun carriedOrNotTheScoresAreTheSame() {
        for (case in Vectors.cases("hearing.json").filter { it.getInt("window_length") != 10 }) {
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

    @Test
    fun afterAModelThatThrewNothingIsCarried() {
        val found = mutableListOf<Boolean>()
        val hearing = Hearing(plainCard(), { _, carried, _ ->
            found += carried
            check(found.size != 2) { "second" }
        }) {}
        hearing.push(FloatArray(8) { 1f })
        assertThrows(IllegalStateException::class.java) { hearing.push(FloatArray(4) { 1f }) }
        hearing.push(FloatArray(8) { 1f })
        assertEquals(listOf(false, true, false, true, true), found)
    }

    /** All samples of a case's stream: those lost, and those after its end, are 0. */
    private fun samplesOf(case: JSONObject): List<Float> =
        case.getJSONArray("steps").objects().flatMap { step ->
            if (step.has("lost")) List(step.getInt("lost")) { 0f } else step.getJSONArray("samples").floats().toList()
        } + List(case.getInt("window_length")) { 0f }

    private fun stream(case: JSONObject, model: Model) {
        val card = plainCard(
            case.getInt("window_length"), case.getInt("hop_length"), quietPeak = case.getDouble("quiet_peak"),
        )
        val hearing = Hearing(card, model) {}
        for (step in case.getJSONArray("steps").objects()) {
            if (step.has("lost")) hearing.lose(step.getLong("lost"))
            else hearing.push(step.getJSONArray("samples").floats())
        }
        hearing.finish()
    }

    @Test
    fun aLossEndsWhatSounds() {
        val events = mutableListOf<Event>()
        val hearing = Hearing(plainCard(), barking, events::add)
        hearing.push(FloatArray(16) { 1f })
        hearing.lose(40)
        assertEquals(listOf(false, true), events.map { it.ended })
        hearing.push(FloatArray(8) { 1f })
        assertEquals((16 + 40 + 2) / 4.0, events.last().startSeconds, 0.0)
    }

    @Test
    fun aModelOfNotANumberIsCounted() {
        val hearing = Hearing(plainCard(), { _, _, scores -> scores.fill(Float.NaN) }) { error("told") }
        hearing.push(FloatArray(80) { 1f })
        assertEquals(19, hearing.ignored)
    }

    /** Nothing for a garbage collector to do while nothing is heard: it would make capture stutter. */
    @Test
    fun aWindowAllocatesNothing() {
        val model = ChunkRunner(8_000, 2, 2) { _, _, scores, _ -> scores.put(0f).put(0.1f) }
        val hearing = Hearing(plainCard(16_000, 8_000, 16_000), model) {}
        val queue = SampleQueue(48_000)
        val resampler = Resampler(48_000, 16_000, 480)
        val block = ShortArray(480) { (it * 50).toShort() }
        val samples = FloatArray(480)
        fun tenMilliseconds() {
            queue.offer(block, block.size)
            hearing.push(resampler.output, resampler.push(samples, queue.take(samples)))
        }
        repeat(2_000) { tenMilliseconds() }
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        val before = threads.getThreadAllocatedBytes(Thread.currentThread().id)
        repeat(10_000) { tenMilliseconds() }
        val bytes = threads.getThreadAllocatedBytes(Thread.currentThread().id) - before
        assertTrue("$bytes bytes in 200 windows", bytes < 5_000)
    }

    @Test
    fun aDeviceAt44100IsHeardAt16000() {
        for (rate in listOf(16_000, 44_100, 48_000)) {
            val queue = SampleQueue(rate * 4)
            val samples = ShortArray(rate * 3) { (20_000 * sin(2 * PI * 440 * it / rate)).toInt().toShort() }
            val heard = mutableListOf<FloatArray>()
            val hearing = Hearing(plainCard(16_000, 8_000, 16_000), { window, _, _ -> heard += window.copyOf() }) {}
            val inference = thread { drain(queue, rate, 16_000, hearing) }
            for (start in samples.indices step 441) {
                val block = samples.copyOfRange(start, minOf(start + 441, samples.size))
                queue.offer(block, block.size)
            }
            queue.close()
            inference.join()
            assertTrue("$rate: ${heard.size}", heard.size in 4..5)
            val expected = FloatArray(16_000) { (20_000 / 32_768.0 * sin(2 * PI * 440 * (it + 8_000) / 16_000)).toFloat() }
            for (i in expected.indices) assertEquals("$rate at $i", expected[i], heard[1][i], 1e-3f)
        }
    }
}
