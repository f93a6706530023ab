import Foundation
import XCTest

@testable import PocketEar

/// Windows of 40 ms, hops of 20, at 1000 Hz: half a minute of a real model is a second here.
func fastCard() throws -> ModelCard {
    let text = """
        {"name": "fast", "version": "0.0.0", "labels": ["other", "bark"], "sample_rate": 1000,
         "window_length": 40, "listener": {"hop_length": 20, "smoothing": 1, "hysteresis": 0.1,
         "min_seconds": 0, "refractory_seconds": 0, "thresholds": {"bark": 0.5}, "background": ["other"]}}
        """
    return try ModelCard(json: Data(text.utf8))
}

let quick = Patience(firstRetry: 0.02, longestRetry: 0.08, stall: 0.2, silence: 0.2, backlog: 0.3, bandwidth: 0.25)

/// A model that gives what a function gives.
final class FakeModel: SoundModel, @unchecked Sendable {
    private let score: @Sendable (Int) throws -> Float
    private let count = Locked(0)
    var runs: Int { count.value }

    /// `score`: of the run of that number, from 1 on.
    init(_ score: @escaping @Sendable (Int) throws -> Float = { _ in 0.9 }) {
        self.score = score
    }

    func scores(of window: [Float], carried: Bool) throws -> [Float] {
        [0, try score(count.change { $0 += 1; return $0 })]
    }
}

/// What a fake microphone does when it is started.
enum Recorded: Sendable {
    case sound
    /// These samples over and over.
    case repeated([Float])
    /// Zeros alone.
    case zeros
    /// Nothing comes.
    case nothing
    /// It throws.
    case refused
    /// All at once, and then nothing.
    case burst(Int)
}

/// One recording a start, the last one for ever, in real time at the rate that is asked for.
final class FakeMicrophone: Microphone, @unchecked Sendable {
    let starts = Locked(0)
    let inUse = Locked(false)
    let closed = Locked(false)
    private let granted: Bool
    private let recordings: [Recorded]
    private let observer = Locked<(@Sendable (MicrophoneChange) -> Void)?>(nil)

    init(_ recordings: Recorded..., granted: Bool = true) {
        self.recordings = recordings
        self.granted = granted
    }

    func requestAccess() async -> Bool { granted }

    func observe(_ onChange: @escaping @Sendable (MicrophoneChange) -> Void) {
        observer.change { $0 = onChange }
    }

    func change(_ change: MicrophoneChange) {
        observer.value?(change)
    }

    func start(
        sampleRate: Double, blockSeconds: Double,
        onSamples: @escaping @Sendable ([Float], Int) -> Void
    ) throws {
        let number = starts.change { $0 += 1; return $0 }
        let recording = recordings[min(number, recordings.count) - 1]
        if case .refused = recording { throw SoundListenerError("held by another app") }
        inUse.change { $0 = true }
        Thread.detachNewThread { [weak self] in
            let begun = ContinuousClock.now
            var given = 0
            if case .burst(let count) = recording { onSamples(Array(repeating: 0.5, count: count), 0) }
            while let self, self.inUse.value, self.starts.value == number {
                Thread.sleep(forTimeInterval: 0.01)
                let due = Int(begun.duration(to: .now) / .seconds(1) * sampleRate) - given
                switch recording {
                case .sound: onSamples(Array(repeating: 0.5, count: due), 0)
                case .repeated(let all):
                    onSamples((given..<given + due).map { all[$0 % all.count] }, 0)
                case .zeros: onSamples(Array(repeating: 0, count: due), 0)
                default: break
                }
                given += due
            }
        }
    }

    func stop() {
        inUse.change { $0 = false }
    }

    func close() {
        observer.change { $0 = nil }
        closed.change { $0 = true }
    }
}

/// A value that several threads share.
final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var held: Value

    init(_ value: Value) {
        held = value
    }

    var value: Value { lock.withLock { held } }

    @discardableResult
    func change<Result>(_ action: (inout Value) -> Result) -> Result {
        lock.withLock { action(&held) }
    }
}
