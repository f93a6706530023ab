import Foundation

/// A label that sounds from `startSeconds` to `endSeconds`, in seconds since listening began.
///
/// Reported twice: once it has lasted long enough (`ended` false, `endSeconds` and `peak` so far), and
/// when it is over (`ended` true).
public struct SoundEvent: Equatable, Sendable {
    public let label: String
    public let startSeconds: Double
    public let endSeconds: Double
    /// The highest smoothed score in it, 0 to 1.
    public let peak: Float
    public let ended: Bool

    public init(label: String, startSeconds: Double, endSeconds: Double, peak: Float, ended: Bool) {
        self.label = label
        self.startSeconds = startSeconds
        self.endSeconds = endSeconds
        self.peak = peak
        self.ended = ended
    }
}

/// What stops a listener, and how to fix it.
public struct SoundListenerError: LocalizedError, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public var errorDescription: String? { description }

    init(_ description: String) {
        self.description = description
    }
}
