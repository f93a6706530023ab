package dev.pocketear

/**
 * A label that sounds from [startSeconds] to [endSeconds], in seconds since [SoundListener.start].
 *
 * Reported twice: once it has lasted long enough ([ended] false, [endSeconds] and [peak] so far), and
 * when it is over ([ended] true). [peak] is the highest smoothed score in it, 0 to 1.
 */
public data class SoundEvent(
    public val label: String,
    public val startSeconds: Double,
    public val endSeconds: Double,
    public val peak: Float,
    public val ended: Boolean,
)

/** Takes events. */
public fun interface SoundEventCallback {
    public fun onEvent(event: SoundEvent)
}
