package dev.pocketear

import android.app.Activity
import android.app.Application
import android.os.Bundle

/**
 * Calls [hidden] when no activity of the app is visible, and [shown] when one is again.
 *
 * An activity that is rotated is gone for a moment, as one that opens another may be: only who is
 * gone for [GRACE_MILLIS] counts, as in androidx.lifecycle.ProcessLifecycleOwner.
 */
internal class AppVisibility(
    private val device: Device,
    private val shown: () -> Unit,
    private val hidden: () -> Unit,
) : Application.ActivityLifecycleCallbacks, AutoCloseable {
    private val visible = HashSet<Activity>()
    private var away = false
    private var closed = false

    override fun onActivityStarted(activity: Activity) {
        visible.add(activity)
        if (away) shown()
        away = false
    }

    /** One that was visible before listening began was never seen to start. */
    override fun onActivityResumed(activity: Activity) = onActivityStarted(activity)

    override fun onActivityStopped(activity: Activity) {
        visible.remove(activity)
        device.post(GRACE_MILLIS) {
            if (visible.isEmpty() && !away && !closed) {
                away = true
                hidden()
            }
        }
    }

    override fun close() {
        closed = true
    }

    override fun onActivityCreated(activity: Activity, state: Bundle?) = Unit

    override fun onActivityPaused(activity: Activity) = Unit

    override fun onActivitySaveInstanceState(activity: Activity, state: Bundle) = Unit

    override fun onActivityDestroyed(activity: Activity) = Unit

    companion object {
        const val GRACE_MILLIS = 700L
    }
}
