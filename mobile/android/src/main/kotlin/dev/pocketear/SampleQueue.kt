package dev.pocketear

import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * Samples from the thread that captures to the thread that infers.
 *
 * Capturing never waits: when the queue is full, what it holds is dropped and counted as lost, so a
 * loss always lies before the queued samples, and what is queued is never old. Allocates nothing once
 * made.
 *
 * Whoever takes is woken once for [step] samples, counted from the first and from the last loss, as the
 * windows are: fewer would be of no use to it. The first step takes [ahead] more, which a resampler
 * has to see before it gives the last one of the step.
 */
internal class SampleQueue(capacity: Int, private val step: Int, private val ahead: Int = 0) {
    private val ring = ShortArray(capacity)
    private val lock = ReentrantLock()
    private val changed = lock.newCondition()
    private var first = 0
    private var count = 0
    private var lost = 0L
    private var closed = false
    private var sinceStep = -ahead
    private var ready = false // a step came that was not taken yet

    /** How many samples complete the next step. */
    val untilStep: Int get() = lock.withLock { step - sinceStep }

    /** Queues [size] samples; those that do not fit even into an empty queue are lost. */
    fun offer(samples: ShortArray, size: Int) = lock.withLock {
        if (count + size > ring.size) {
            lost += count
            count = 0
            sinceStep = -ahead
        }
        if (size > ring.size) {
            lost += size
        } else {
            for (i in 0 until size) ring[(first + count + i) % ring.size] = samples[i]
            count += size
        }
        sinceStep += size
        if (sinceStep >= step || lost > 0) {
            if (sinceStep > 0) sinceStep %= step
            ready = true
            changed.signal()
        }
    }

    /** No sample will come any more. */
    fun close() = lock.withLock {
        closed = true
        changed.signal()
    }

    /**
     * Waits for a step of samples; takes up to [into].size of them and returns how many.
     *
     * Returns 0 when samples were lost before them (see [takeLost]), and -1 when the queue is closed and
     * empty.
     */
    fun take(into: FloatArray): Int = lock.withLock {
        while (!ready && lost == 0L && !closed) changed.await()
        if (lost > 0) return 0
        if (count == 0) return -1
        val size = minOf(count, into.size)
        for (i in 0 until size) into[i] = ring[(first + i) % ring.size] / FULL_SCALE
        first = (first + size) % ring.size
        count -= size
        if (count == 0) ready = false
        size
    }

    /** How many samples were lost before the next one to take. */
    fun takeLost(): Long = lock.withLock { lost.also { lost = 0 } }

    private companion object {
        const val FULL_SCALE = 32768f
    }
}
