package dev.pocketear

/** A window of samples to one score a label. */
public fun interface SoundModel {
    /**
     * Writes the scores of [window] into [scores].
     *
     * [carried]: the window run last is the one a hop earlier in the same unbroken stream, so only the
     * newest hop of samples is new. The scores are the same as without.
     */
    public fun run(window: FloatArray, carried: Boolean, scores: FloatArray)
}

/** A model that holds memory until it is closed. */
internal interface LoadedModel : SoundModel, AutoCloseable
