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
    private let lock = NSLock()
    private var items: [Item] = []
    private var waiting = 0  // samples

    init(capacity: Int) {
        self.capacity = capacity
    }

    func offer(_ samples: [Float]) {
        lock.withLock {
            if waiting + samples.count > capacity { dropAll() }
            items.append(.samples(samples))
            waiting += samples.count
        }
    }

    /// `count` samples are missing here.
    func lose(_ count: Int) {
        lock.withLock { items.append(.lost(count)) }
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
    }
}
