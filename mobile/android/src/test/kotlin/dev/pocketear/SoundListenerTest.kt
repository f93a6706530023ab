package dev.pocketear

import android.content.Context
import android.content.ContextWrapper
import android.content.pm.PackageManager
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class SoundListenerTest {
    /** An app whose user has not granted the microphone, and which has nothing else. */
    private class Denied : ContextWrapper(null) {
        override fun getApplicationContext(): Context = this

        override fun checkSelfPermission(permission: String): Int = PackageManager.PERMISSION_DENIED
    }

    @Test
    fun aDeniedMicrophoneIsToldBeforeAnythingIsOpened() {
        val listener = SoundListener(Denied())
        assertFalse(listener.mayListen)
        val error = assertThrows(SecurityException::class.java) { listener.start { throw AssertionError(it) } }
        assertTrue(error.message!!, "call askFor(activity, requestCode) first" in error.message!!)
        listener.close()
    }
}
