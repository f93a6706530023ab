import Foundation

/// Samples from the thread that captures to the thread that infers.
///
/// Capturing never waits: when more than `capacity` samples wait, they are dropped and counted as lost,
/// so what waits is never old.
///
/// Unchecked: all that changes is touched under `lock` alone.
final class SampleQueue: @unchecked Sendable {
    enum Item: Equatable {
        case samples([Float])
        /// So many samples are missing, maybe none: the stream is broken.
        case lost(Int)
    }

    private let capacity: Int
    private let step: Int
    private var sinceStep = 0
    private let lock = NSLock()
    private var items: [Item] = []
    private var waiting = 0  // samples

    /// `step`: so many samples are worth to be taken, counted from the first and from the last loss, as
    /// the windows are.
    init(capacity: Int, step: Int) {
        self.capacity = capacity
        self.step = step
    }

    /// Returns whether they complete a step, so that it is time to take.
    func offer(_ samples: [Float]) -> Bool {
        lock.withLock {
            if waiting + samples.count > capacity { dropAll() }
            items.append(.samples(samples))
            waiting += samples.count
            sinceStep += samples.count
            defer { sinceStep %= step }
            return sinceStep >= step
        }
    }

    /// `count` samples are missing here.
    func lose(_ count: Int) {
        lock.withLock {
            items.append(.lost(count))
            sinceStep = 0
        }
    }

    /// What waits longest; nil if nothing does.
    func take() -> Item? {
        lock.withLock {
            if items.isEmpty { return nil }
            let item = items.removeFirst()
            if case .samples(let samples) = item { waiting -= samples.count }
            return item
        }
    }

    private func dropAll() {
        var lost = 0
        for item in items {
            switch item {
            case .samples(let samples): lost += samples.count
            case .lost(let count): lost += count
            }
        }
        items = [.lost(lost)]
        waiting = 0
        sinceStep = 0
    }
}
