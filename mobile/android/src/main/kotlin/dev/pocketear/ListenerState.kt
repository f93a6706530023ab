package dev.pocketear

/** What a [SoundListener] does. */
public sealed class ListenerState {
    /** Before start and after close. */
    public object Stopped : ListenerState() {
        override fun toString(): String = "Stopped"
    }

    /** The microphone is open, but gave no samples yet. */
    public object Starting : ListenerState() {
        override fun toString(): String = "Starting"
    }

    /** Samples come. */
    public object Listening : ListenerState() {
        override fun toString(): String = "Listening"
    }

    /**
     * Samples come, but for two seconds all were 0: another app has the microphone, or the user has
     * muted it. On older versions of Android there is no other sign.
     */
    public object Silenced : ListenerState() {
        override fun toString(): String = "Silenced"
    }

    /**
     * Samples come, but the sound ends at [bandwidth] Hz, below what the model was trained on: a headset
     * in a phone call, for example. Its scores are not to be relied on.
     */
    public data class Narrow(public val bandwidth: Double) : ListenerState()

    /** No samples come; listening goes on by itself when they can. */
    public data class Paused(public val reason: PauseReason) : ListenerState()

    /** It no longer listens, because of [error]. */
    public data class Failed(public val error: Exception) : ListenerState()
}

/** Why a [SoundListener] is paused. */
public enum class PauseReason {
    /** No activity of the app is visible. */
    HIDDEN,

    /** The microphone was taken away; it is opened again as soon as that works. */
    MICROPHONE_UNAVAILABLE,
}

/** Takes states, each as it begins. */
public fun interface ListenerStateCallback {
    public fun onState(state: ListenerState)
}
