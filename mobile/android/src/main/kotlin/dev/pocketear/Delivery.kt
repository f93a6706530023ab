package dev.pocketear

import java.util.concurrent.ConcurrentLinkedQueue

/** Reports from any thread, run in their order on the main thread. */
internal class Delivery(private val device: Device) {
    private val waiting = ConcurrentLinkedQueue<() -> Unit>()

    fun add(report: () -> Unit) {
        waiting.add(report)
        device.post { drain() }
    }

    /** Runs what waits. On the main thread. */
    fun drain() {
        while (true) {
            val report = waiting.poll() ?: return
            report()
        }
    }
}
