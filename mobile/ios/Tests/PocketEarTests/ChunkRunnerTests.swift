import XCTest

@testable import PocketEar

/// A model of some chunks a window: its state are the sums of the chunks before, its second score the
/// sum of all.
struct Sums {
    private(set) var steps = 0
    private var chunks: ChunkRunner<[Float]>

    init(hop: Int, chunks: Int) {
        self.chunks = ChunkRunner(length: hop, fresh: Array(repeating: 0, count: chunks - 1))
    }

    mutating func scores(of window: [Float], carried: Bool) -> [Float] {
        var count = 0
        let scores = chunks.scores(of: window, carried: carried) { chunk, state in
            count += 1
            let sums = state + [chunk.reduce(0, +)]
            return (scores: [0, sums.reduce(0, +)], state: Array(sums.dropFirst()))
        }
        steps += count
        return scores ?? []
    }
}

/// What a number is to the last bit, so that what is not a number equals itself.
func bits<Numbers: Sequence>(_ numbers: Numbers) -> [UInt32] where Numbers.Element == Float {
    numbers.map { $0.bitPattern }
}

final class ChunkRunnerTests: XCTestCase {
    private let window = (1...12).map { Float($0) }  // chunks of sums 10, 26 and 42

    func testAWindowIsRunFromZerosAndTheNextByItsNewestChunk() {
        var sums = Sums(hop: 4, chunks: 3)
        XCTAssertEqual(sums.scores(of: window, carried: false), [0, 78])
        XCTAssertEqual(sums.steps, 3)
        // Of a window that is carried the older chunks are not looked at.
        XCTAssertEqual(sums.scores(of: Array(repeating: 1, count: 12), carried: true), [0, 72])
        XCTAssertEqual(sums.steps, 4)
        XCTAssertEqual(sums.scores(of: window, carried: false), [0, 78])
        XCTAssertEqual(sums.steps, 7)
    }

    func testAModelWithoutAStateIsRunOnTheWholeWindow() {
        var sums = Sums(hop: 12, chunks: 1)
        XCTAssertEqual(sums.scores(of: window, carried: false), [0, 78])
        XCTAssertEqual(sums.scores(of: window, carried: true), [0, 78])
    }

    func testWhereAChunkHasNoScoresNothingIsCarried() {
        var runner = ChunkRunner<Int>(length: 4, fresh: 0)
        var firsts: [Float] = []
        func scores(_ window: [Float], carried: Bool) -> [Float]? {
            runner.scores(of: window, carried: carried) { chunk, state in
                firsts.append(chunk[0])
                return chunk[0] < 0 ? nil : (scores: [Float(state)], state: state + 1)
            }
        }
        XCTAssertEqual(scores([1, 0, 0, 0, 2, 0, 0, 0], carried: false), [1])
        XCTAssertNil(scores([2, 0, 0, 0, -3, 0, 0, 0], carried: true))
        XCTAssertNil(scores([-3, 0, 0, 0, 4, 0, 0, 0], carried: true))
        XCTAssertEqual(scores([4, 0, 0, 0, 5, 0, 0, 0], carried: true), [1])
        XCTAssertEqual(firsts, [1, 2, -3, -3, 4, 5])
    }

    func testAfterAStepThatThrewNothingIsCarried() {
        var runner = ChunkRunner<Int>(length: 4, fresh: 0)
        func scores(carried: Bool, fails: Bool) throws -> [Float]? {
            try runner.scores(of: Array(repeating: 1, count: 8), carried: carried) { _, state in
                if fails { throw SoundListenerError("step") }
                return (scores: [Float(state)], state: state + 1)
            }
        }
        XCTAssertEqual(try scores(carried: false, fails: false), [1])
        XCTAssertThrowsError(try scores(carried: true, fails: true))
        XCTAssertEqual(try scores(carried: true, fails: false), [1])
    }
}
