package dev.pocketear

import java.lang.management.ManagementFactory
import kotlin.concurrent.thread
import kotlin.math.PI
import kotlin.math.sin
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class HearingTest {
    private val barking = Model { _, scores -> scores[1] = 0.9f }

    @Test
    fun anHourOfDigitalSilenceIsNotPutToTheModel() {
        val hearing = Hearing(plainCard(16_000, 8_000, 16_000), { _, _ -> error("run") }) { error("told") }
        val second = FloatArray(16_000)
        repeat(3_600) { hearing.push(second) }
        hearing.finish()
    }

    @Test
    fun aClipShorterThanAWindowIsHeardOncePadded() {
        val windows = mutableListOf<List<Float>>()
        val hearing = Hearing(plainCard(), { window, _ -> windows += window.toList() }) {}
        hearing.push(floatArrayOf(1f, 2f, 3f))
        hearing.finish()
        assertEquals(listOf(listOf(1f, 2f, 3f, 0f, 0f, 0f, 0f, 0f)), windows)
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
        val hearing = Hearing(plainCard(), { _, scores -> scores.fill(Float.NaN) }) { error("told") }
        hearing.push(FloatArray(80) { 1f })
        assertEquals(19, hearing.ignored)
    }

    /** Nothing for a garbage collector to do while nothing is heard: it would make capture stutter. */
    @Test
    fun aWindowAllocatesNothing() {
        val hearing = Hearing(plainCard(16_000, 8_000, 16_000), { _, scores -> scores[1] = 0.1f }) {}
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
            val hearing = Hearing(plainCard(16_000, 8_000, 16_000), { window, _ -> heard += window.copyOf() }) {}
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
