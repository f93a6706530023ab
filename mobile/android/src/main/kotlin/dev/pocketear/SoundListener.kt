package dev.pocketear

import android.Manifest
import android.app.Activity
import android.app.Application
import android.content.Context
import android.content.pm.PackageManager
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.os.SystemClock
import android.util.Log
import java.io.IOException

/**
 * Listens to the microphone and tells what it hears.
 *
 *     val listener = SoundListener(context)
 *     if (!listener.mayListen) listener.askFor(activity, requestCode = 1) // once, in onCreate
 *     else listener.start { event -> Log.i("heard", "${event.label} at ${event.startSeconds} s") }
 *
 * Everything about the model is read from the .tflite in the package. Call from the main thread;
 * events come on it. While no activity of the app is visible Android lets it hear nothing, so
 * listening pauses and goes on later; an app with a foreground service of type microphone sets
 * [inBackground].
 */
public class SoundListener(context: Context, private val inBackground: Boolean = false) : AutoCloseable {
    private val context = context.applicationContext
    private val main by lazy { Handler(Looper.getMainLooper()) }
    private var session: Session? = null

    /** What the model in the package is. */
    public val card: ModelCard by lazy { ModelCard.read(LiteRtModel.map(this.context)) }

    /** Whether the user has granted the microphone. */
    public val mayListen: Boolean
        get() = context.checkSelfPermission(Manifest.permission.RECORD_AUDIO) ==
            PackageManager.PERMISSION_GRANTED

    /** Asks the user for the microphone; the answer goes to the activity's onRequestPermissionsResult. */
    public fun askFor(activity: Activity, requestCode: Int) {
        activity.requestPermissions(arrayOf(Manifest.permission.RECORD_AUDIO), requestCode)
    }

    /**
     * Begins to listen; what is heard goes to [onEvent], what goes wrong later to [onFailure], after
     * which it no longer listens. Does nothing if it listens already.
     *
     * @throws SecurityException if the microphone is not granted
     * @throws IOException if the microphone or the model cannot be opened
     * @throws IllegalArgumentException if the model is damaged, or does not fit its labels
     */
    public fun start(onFailure: (Exception) -> Unit = ::log, onEvent: (Event) -> Unit) {
        if (session != null) return
        if (!mayListen) {
            throw SecurityException("the microphone is not granted: call askFor(activity, requestCode) first")
        }
        session = Session(onEvent) { error ->
            close()
            onFailure(error)
        }.also { it.begin() }
    }

    /** Stops listening; what was sounding is told as ended. */
    override fun close() {
        session?.end()
        session = null
    }

    /** One time of listening, over as many pauses as it takes. */
    private inner class Session(
        private val onEvent: (Event) -> Unit,
        private val onFailure: (Exception) -> Unit,
    ) : Visibility() {
        private val tflite = LiteRtModel.map(context)
        private val model = LiteRtModel(tflite, card)
        private val hearing = Hearing(card, model) { event -> main.post { onEvent(event) } }
        private var microphone: Microphone? = null
        private var inference: Thread? = null
        private var pausedAt = 0L

        fun begin() {
            try {
                capture()
            } catch (error: IOException) {
                model.close()
                throw error
            }
            if (!inBackground) (context as? Application)?.registerActivityLifecycleCallbacks(this)
        }

        fun end() {
            (context as? Application)?.unregisterActivityLifecycleCallbacks(this)
            release()
            hearing.finish()
            model.close()
            if (hearing.ignored > 0) Log.w(TAG, "${hearing.ignored} windows had scores that are not numbers")
        }

        override fun hidden() {
            release()
            hearing.lose(0)
            pausedAt = SystemClock.elapsedRealtimeNanos() // goes on while the phone sleeps
        }

        override fun shown() {
            if (microphone != null) return
            val away = (SystemClock.elapsedRealtimeNanos() - pausedAt) / NANOSECONDS
            hearing.lose((away * card.sampleRate).toLong())
            try {
                capture()
            } catch (error: IOException) {
                onFailure(error)
            }
        }

        private fun capture() {
            val record = Microphone.open(card)
            val rate = record.sampleRate
            val block = Microphone.hopAt(rate, card)
            val queue = SampleQueue(block + rate * QUEUE_SECONDS)
            val opened = Microphone(record, block, queue) { error -> fail(error) }
            opened.start()
            microphone = opened
            inference = Thread({ infer(queue, rate) }, "pocketear-inference").apply { start() }
        }

        private fun release() {
            microphone?.close()
            inference?.join()
            microphone = null
            inference = null
        }

        private fun infer(queue: SampleQueue, rate: Int) {
            try {
                drain(queue, rate, card.sampleRate, hearing)
            } catch (error: RuntimeException) { // of the model's runtime
                fail(error)
            }
        }

        private fun fail(error: Exception) {
            main.post { if (session === this) onFailure(error) }
        }
    }

    private companion object {
        const val TAG = "SoundListener"
        const val QUEUE_SECONDS = 4 // beside the block that comes in
        const val NANOSECONDS = 1e9

        fun log(error: Exception) {
            Log.e(TAG, "no longer listening", error)
        }
    }
}

/** Feeds [hearing] from [queue], resampled where the rates differ, until the queue is closed. */
internal fun drain(queue: SampleQueue, rate: Int, wanted: Int, hearing: Hearing) {
    val block = FloatArray(BLOCK)
    val resampler = if (rate == wanted) null else Resampler(rate, wanted, BLOCK)
    while (true) {
        val size = queue.take(block)
        when {
            size < 0 -> return
            size == 0 -> {
                hearing.lose(queue.takeLost() * wanted / rate)
                resampler?.reset()
            }
            resampler == null -> hearing.push(block, size)
            else -> hearing.push(resampler.output, resampler.push(block, size))
        }
    }
}

private const val BLOCK = 1024

/** Tells when the last activity of the app leaves the screen, and when one is back. */
internal abstract class Visibility : Application.ActivityLifecycleCallbacks {
    private val visible = HashSet<Activity>()

    abstract fun shown()

    abstract fun hidden()

    override fun onActivityStarted(activity: Activity) {
        visible.add(activity)
        shown()
    }

    /** One that was visible before listening began was never seen to start. */
    override fun onActivityResumed(activity: Activity) = onActivityStarted(activity)

    override fun onActivityStopped(activity: Activity) {
        visible.remove(activity)
        if (visible.isEmpty()) hidden()
    }

    override fun onActivityCreated(activity: Activity, state: Bundle?) = Unit

    override fun onActivityPaused(activity: Activity) = Unit

    override fun onActivitySaveInstanceState(activity: Activity, state: Bundle) = Unit

    override fun onActivityDestroyed(activity: Activity) = Unit
}
