package dev.pocketear

import java.util.concurrent.SynchronousQueue
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class SampleQueueTest {
    private fun ramp(from: Int, size: Int) = ShortArray(size) { (from + it).toShort() }

    private fun SampleQueue.offer(from: Int, size: Int) = offer(ramp(from, size), size)

    private fun SampleQueue.all(): List<Int> {
        val taken = mutableListOf<Int>()
        val into = FloatArray(3)
        while (true) {
            val size = take(into)
            if (size < 0) return taken
            if (size == 0) taken += -takeLost().toInt() else into.take(size).mapTo(taken) { (it * 32_768).toInt() }
        }
    }

    @Test
    fun inOrderAroundTheRing() {
        val queue = SampleQueue(8, 1)
        val into = FloatArray(5)
        for (start in 0 until 100 step 5) {
            queue.offer(start, 5)
            assertEquals(5, queue.take(into))
            assertEquals(List(5) { (start + it) / 32_768f }, into.toList())
        }
    }

    @Test
    fun aFullQueueDropsWhatItHoldsAndSaysHowMuch() {
        val queue = SampleQueue(8, 1)
        queue.offer(1, 6)
        queue.offer(7, 4) // does not fit
        queue.offer(11, 1)
        queue.close()
        assertEquals(listOf(-6, 7, 8, 9, 10, 11), queue.all())
    }

    @Test
    fun afterTwoLossesItGoesOn() {
        val queue = SampleQueue(4, 1)
        queue.offer(1, 3)
        queue.offer(4, 5) // does not fit at all
        queue.offer(9, 2)
        queue.offer(11, 3)
        assertEquals(0, queue.take(FloatArray(4)))
        assertEquals(10, queue.takeLost())
        queue.close()
        assertEquals(listOf(11, 12, 13), queue.all())
    }

    @Test
    fun whoTakesIsWokenByWholeStepsAlone() {
        val queue = SampleQueue(100, 10)
        val woken = SynchronousQueue<Int>()
        thread {
            val into = FloatArray(100)
            do {
                val size = queue.take(into)
                woken.put(size)
            } while (size >= 0)
        }
        queue.offer(0, 9)
        assertEquals(1, queue.untilStep)
        assertNull(woken.poll(100, TimeUnit.MILLISECONDS))
        queue.offer(9, 4)
        assertEquals(7, queue.untilStep)
        assertEquals(13, woken.poll(5, TimeUnit.SECONDS))
        queue.offer(13, 6)
        assertNull(woken.poll(100, TimeUnit.MILLISECONDS))
        queue.close() // gives the rest
        assertEquals(6, woken.poll(5, TimeUnit.SECONDS))
        assertEquals(-1, woken.poll(5, TimeUnit.SECONDS))
    }

    @Test
    fun stepsAreCountedFromALoss() {
        val queue = SampleQueue(12, 10)
        queue.offer(0, 9)
        queue.offer(9, 4) // does not fit; the windows begin anew here
        assertEquals(6, queue.untilStep)
    }

    @Test
    fun nothingIsLostBetweenTwoThreadsThatKeepUp() {
        val queue = SampleQueue(20_000, 1)
        val taken = mutableListOf<Int>()
        val consumer = thread { taken += queue.all() }
        for (start in 0 until 20_000 step 100) queue.offer(start, 100)
        queue.close()
        consumer.join()
        assertEquals(List(20_000) { it }, taken)
    }
}
