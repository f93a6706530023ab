package dev.pocketear

import android.Manifest
import android.app.Activity
import android.app.Application
import android.content.Context
import android.content.pm.PackageManager
import android.os.Handler
import android.os.Looper
import android.os.SystemClock
import java.io.IOException
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.SharedFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asSharedFlow
import kotlinx.coroutines.flow.asStateFlow

/**
 * Listens to the microphone and reports the sounds that it detects.
 *
 *     val listener = SoundListener(context) // one an app: it outlives an activity that is rotated
 *     if (!listener.mayListen) listener.askFor(activity, requestCode = 1) // once, in onCreate
 *     else listener.start { event -> Log.i("sound", "${event.label} at ${event.startSeconds} s") }
 *
 * Everything about the model is read from its .tflite. Call from the main thread;
 * events and states come on it. While no activity of the app is visible Android gives it no sound, so
 * listening pauses and goes on later; an app with a foreground service of type microphone sets
 * `inBackground`.
 */
public class SoundListener internal constructor(
    context: Context,
    private val inBackground: Boolean,
    private val microphone: Microphone,
    private val device: Device,
) : AutoCloseable {
    private val context = context.applicationContext
    private var running: Running? = null
    private var onEvent = SoundEventCallback {}
    private var onState = ListenerStateCallback {}

    /** [model] and [microphone]: where the model and the samples come from. */
    @JvmOverloads
    public constructor(
        context: Context,
        model: ModelSource = ModelSource.asset(),
        inBackground: Boolean = false,
        microphone: Microphone = AudioRecordMicrophone(),
    ) : this(context, inBackground, microphone, Phone(context.applicationContext, model))

    /** What the model is. */
    public val card: ModelCard by lazy(device::card)

    private val currentState = MutableStateFlow<ListenerState>(ListenerState.Stopped)
    private val currentEvents = MutableSharedFlow<SoundEvent>(
        extraBufferCapacity = BUFFERED, onBufferOverflow = BufferOverflow.DROP_OLDEST,
    )

    /** What it does now. */
    public val state: StateFlow<ListenerState> = currentState.asStateFlow()

    /**
     * The events, for whoever collects them, however often it was started. A collector that is more than
     * 64 events late misses the oldest.
     */
    public val events: SharedFlow<SoundEvent> = currentEvents.asSharedFlow()

    /** Windows without scores since the last start: a model that does not work on this device. */
    public var ignored: Int = 0
        get() = running?.ignored ?: field
        private set

    /**
     * Up to which frequency the microphone gives sound, in Hz, at most half of the model's sample rate;
     * null until some seconds were not quiet. [ListenerState.Narrow] says that it is too low.
     */
    public val inputBandwidth: Double? get() = running?.inputBandwidth

    /** Whether the user has granted the microphone. */
    public val mayListen: Boolean
        get() = context.checkSelfPermission(Manifest.permission.RECORD_AUDIO) ==
            PackageManager.PERMISSION_GRANTED

    /** Asks the user for the microphone; the answer goes to the activity's onRequestPermissionsResult. */
    public fun askFor(activity: Activity, requestCode: Int) {
        activity.requestPermissions(arrayOf(Manifest.permission.RECORD_AUDIO), requestCode)
    }

    /**
     * Begins to listen; events go to [onEvent], and each change of [state] to [onState]. A failure is a
     * state too: it no longer listens then, and may be started again.
     *
     * If it listens already the stream goes on, and the new callbacks take the place of the old ones:
     * so does an activity that was rotated.
     *
     * @throws SecurityException if the microphone is not granted
     * @throws IOException if the model cannot be opened
     * @throws IllegalArgumentException if the model is damaged, or does not fit its labels
     */
    @JvmOverloads
    @Throws(IOException::class)
    public fun start(onState: ListenerStateCallback = ListenerStateCallback {}, onEvent: SoundEventCallback) {
        if (!mayListen) {
            throw SecurityException("the microphone is not granted: call askFor(activity, requestCode) first")
        }
        val started = running ?: Running(device.load(card))
        this.onEvent = onEvent
        this.onState = onState
        if (running == null) {
            running = started
            started.begin()
        }
    }

    /** Begins to listen, as the other does, for who collects [events] and [state]. */
    @Throws(IOException::class)
    public fun start(): Unit = start(onEvent = {})

    /**
     * Stops at once, without waiting for the microphone or the model. What sounds is reported as ended
     * before it returns, and nothing after.
     */
    override fun close() {
        val ending = running ?: return
        running = null
        ignored = ending.ignored
        try {
            ending.end()
        } finally {
            change(ListenerState.Stopped)
        }
    }

    private fun change(new: ListenerState) {
        currentState.value = new
        onState.onState(new)
    }

    /** What is at work between start and close. */
    private inner class Running(model: LoadedModel) : SessionReports {
        private val delivery = Delivery(device)
        private val session = ListeningSession(card, model, microphone, this, device::nanos, device.patience)
        private val visibility = AppVisibility(device, session::resume, session::pause)

        val ignored: Int get() = session.ignored
        val inputBandwidth: Double? get() = session.inputBandwidth

        fun begin() {
            session.start()
            if (!inBackground) (context as? Application)?.registerActivityLifecycleCallbacks(visibility)
        }

        fun end() {
            (context as? Application)?.unregisterActivityLifecycleCallbacks(visibility)
            visibility.close()
            session.close()
            delivery.drain()
        }

        override fun event(event: SoundEvent) = delivery.add {
            currentEvents.tryEmit(event)
            onEvent.onEvent(event)
        }

        override fun state(state: ListenerState) = delivery.add { change(state) }

        override fun failed(error: Exception) = delivery.add {
            running = null
            this@SoundListener.ignored = ignored
            end()
            change(ListenerState.Failed(error))
        }
    }

    private companion object {
        const val BUFFERED = 64
    }
}

/** What a [SoundListener] needs of a device besides a [Context]. */
internal interface Device {
    val patience: Patience

    fun card(): ModelCard

    fun load(card: ModelCard): LoadedModel

    /** A clock that goes on while the phone sleeps. */
    fun nanos(): Long

    /** Runs [action] on the main thread, after what was posted before. */
    fun post(delayMillis: Long = 0, action: () -> Unit)
}

/** The device that it runs on. */
private class Phone(private val context: Context, private val model: ModelSource) : Device {
    private val main by lazy { Handler(Looper.getMainLooper()) }

    override val patience: Patience = Patience()

    override fun card(): ModelCard = ModelCard.read(model.read(context))

    override fun load(card: ModelCard): LoadedModel = LiteRtModel(model.read(context), card)

    override fun nanos(): Long = SystemClock.elapsedRealtimeNanos()

    override fun post(delayMillis: Long, action: () -> Unit) {
        main.postDelayed(action, delayMillis)
    }
}
