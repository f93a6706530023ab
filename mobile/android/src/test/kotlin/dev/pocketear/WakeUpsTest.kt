package dev.pocketear

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Test

/** What listening costs beside the model: how often its threads wake. */
class WakeUpsTest {
    @Test
    fun eachThreadWakesOnceAHop() {
        assumeTrue("needs Linux, which counts them", File(TASKS).isDirectory)
        val card = plainCard(window = 24_000, hop = 8_000, rate = 16_000)
        val model = FakeModel()
        val microphone = FakeMicrophone(realTime(rate = 16_000, buffer = 24_000), rates = listOf(16_000))
        FakeDevice(card) { model }.use { device ->
            val listener = SoundListener(FakeApp(), inBackground = true, microphone, device)
            device.onMain { listener.start {} }
            Thread.sleep(1_750) // classes are loaded, and the first window is full
            val (runs, reads) = listOf(model.runs.get(), microphone.reads.get())
            val before = wakeUps()
            Thread.sleep(HOPS * 500L)
            val during = wakeUps().mapValues { (thread, count) -> count - before.getValue(thread) }
            val hops = model.runs.get() - runs
            println("wake-ups in $hops hops: $during, reads: ${microphone.reads.get() - reads}")
            device.onMain { listener.close() }
            assertTrue("$hops", hops in HOPS - 1..HOPS + 1)
            assertEquals(setOf("pocketear-captu", "pocketear-infer"), during.keys)
            for ((thread, count) in during) assertTrue("$thread: $count", count in hops - 1..3 * hops / 2)
        }
    }

    /** Of our threads by name, which Linux cuts: how often each gave up its core of its own accord. */
    private fun wakeUps(): Map<String, Int> = File(TASKS).listFiles()!!
        .associate { File(it, "comm").readText().trim() to File(it, "status").readLines() }
        .filterKeys { it.startsWith("pocketear-") }
        .mapValues { (_, status) -> status.single { it.startsWith(COUNT) }.removePrefix(COUNT).trim().toInt() }

    private companion object {
        const val TASKS = "/proc/self/task"
        const val COUNT = "voluntary_ctxt_switches:"
        const val HOPS = 8
    }
}
