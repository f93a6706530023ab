package dev.pocketear

import android.app.Activity
import android.app.Application
import android.content.Context
import android.content.pm.PackageManager
import java.io.IOException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.Future
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger

/** Windows of 40 ms, hops of 20, at 1000 Hz: half a minute of a real model is a second here. */
internal fun fastCard() = plainCard(window = 40, hop = 20, rate = RATE)

internal const val RATE = 1_000
internal const val LOUD: Short = 16_000

/** A model that gives what a function gives, and says whether it was closed. */
internal class FakeModel(private val score: () -> Float = { 0.9f }) : LoadedModel {
    val runs = AtomicInteger()
    val threads = mutableSetOf<String>()
    val closed = CountDownLatch(1)

    override fun run(window: FloatArray, carried: Boolean, scores: FloatArray) {
        synchronized(threads) { threads += Thread.currentThread().name }
        runs.incrementAndGet()
        scores[0] = 0f
        scores[1] = score()
    }

    override fun close() = closed.countDown()
}

/** A device whose main thread is a thread of its own, with one model. */
internal class FakeDevice(val card: ModelCard = fastCard(), val models: () -> FakeModel) : Device, AutoCloseable {
    private val main = Executors.newSingleThreadScheduledExecutor { Thread(it, "main") }
    val loaded = mutableListOf<FakeModel>()

    override val patience = Patience(10, 40, stallMillis = 200, silenceMillis = 200, backlogMillis = 300, bandwidthMillis = 250)

    override fun card() = card

    override fun load(card: ModelCard): LoadedModel = models().also { loaded += it }

    override fun nanos(): Long = System.nanoTime()

    override fun post(delayMillis: Long, action: () -> Unit) {
        if (!main.isShutdown) main.schedule(action, delayMillis, TimeUnit.MILLISECONDS)
    }

    /** Runs on the main thread; what the app does. Fails if it takes longer than an app may. */
    fun <T> onMain(action: () -> T): T {
        val done: Future<T> = main.submit(action)
        return done.get(LONGEST_MILLIS, TimeUnit.MILLISECONDS)
    }

    override fun close() {
        main.shutdownNow()
    }

    private companion object {
        const val LONGEST_MILLIS = 300L // on a busy machine; a call takes well below one
    }
}

/** What a fake microphone does when it is read: returns a size, having written so many samples. */
internal fun interface Source {
    fun read(samples: ShortArray, size: Int): Int
}

/** One source an opening, the last one for ever; a source of null does not open. */
internal class FakeMicrophone(private vararg val sources: Source?, private val rates: List<Int> = listOf(RATE)) : Microphone {
    val opened = AtomicInteger()
    val reads = AtomicInteger()
    val inUse = AtomicInteger()

    override fun open(sampleRate: Int, blockSeconds: Double): Recording {
        val number = opened.getAndIncrement()
        val source = sources[minOf(number, sources.size - 1)] ?: throw IOException("held by another app")
        inUse.incrementAndGet()
        return object : Recording {
            override val sampleRate = rates[minOf(number, rates.size - 1)]

            override fun read(samples: ShortArray, size: Int): Int {
                reads.incrementAndGet()
                return source.read(samples, size)
            }

            override fun close() {
                inUse.decrementAndGet()
            }
        }
    }
}

/** Sound in real time at [rate], of [value]; what was not read for [buffer] samples is dropped. */
internal fun realTime(value: Short = LOUD, rate: Int = RATE, buffer: Int = 4_000): Source {
    var begun = 0L
    var taken = 0L
    return Source { samples, size ->
        if (begun == 0L) begun = System.nanoTime()
        val recorded = (System.nanoTime() - begun) * rate / 1_000_000_000
        taken = maxOf(taken, recorded - buffer)
        val now = minOf(size.toLong(), recorded - taken).toInt()
        samples.fill(value, 0, now)
        taken += now
        now
    }
}

/** Sound in real time at [rate], of [samples] over and over. */
internal fun repeated(samples: ShortArray, rate: Int): Source {
    val time = realTime(rate = rate)
    var at = 0
    return Source { into, size ->
        time.read(into, size).also { now ->
            for (i in 0 until now) into[i] = samples[(at + i) % samples.size]
            at = (at + now) % samples.size
        }
    }
}

/** This many reads of [first], then [then] for ever. */
internal fun after(count: Int, first: Source, then: Source): Source {
    var reads = 0
    return Source { samples, size -> if (reads++ < count) first.read(samples, size) else then.read(samples, size) }
}

/** An app whose user has granted the microphone, or not. */
internal class FakeApp(var granted: Boolean = true) : Application() {
    val callbacks = mutableListOf<ActivityLifecycleCallbacks>()

    override fun getApplicationContext(): Context = this

    override fun checkSelfPermission(permission: String): Int =
        if (granted) PackageManager.PERMISSION_GRANTED else PackageManager.PERMISSION_DENIED

    override fun registerActivityLifecycleCallbacks(callback: ActivityLifecycleCallbacks) {
        callbacks += callback
    }

    override fun unregisterActivityLifecycleCallbacks(callback: ActivityLifecycleCallbacks) {
        callbacks -= callback
    }

    fun started(activity: Activity) = callbacks.toList().forEach { it.onActivityStarted(activity) }

    fun stopped(activity: Activity) = callbacks.toList().forEach { it.onActivityStopped(activity) }
}

/** An activity that nobody looks into: its constructor wants a phone. */
internal fun activity(): Activity {
    val unsafe = Class.forName("sun.misc.Unsafe")
    val field = unsafe.getDeclaredField("theUnsafe").apply { isAccessible = true }
    val make = unsafe.getMethod("allocateInstance", Class::class.java)
    return make.invoke(field.get(null), Activity::class.java) as Activity
}
