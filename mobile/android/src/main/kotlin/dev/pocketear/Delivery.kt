package dev.pocketear

import java.util.concurrent.ConcurrentLinkedQueue

/** Reports from any thread, run in their order on the main thread; none after [close]. */
internal class Delivery(private val device: Device) {
    private val waiting = ConcurrentLinkedQueue<() -> Unit>()
    private var closed = false // of the main thread

    fun add(report: () -> Unit) {
        waiting.add(report)
        device.post { drain() }
    }

    /** Runs what waits, then nothing any more. On the main thread. */
    fun close() {
        try {
            drain()
        } finally {
            closed = true
        }
    }

    private fun drain() {
        while (!closed) {
            val report = waiting.poll() ?: return
            report()
        }
    }
}
