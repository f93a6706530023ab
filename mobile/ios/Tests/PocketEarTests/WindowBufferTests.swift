import Foundation
import XCTest

@testable import PocketEar

final class WindowBufferTests: XCTestCase {
    func testVectors() throws {
        for vector in try Vectors.cases("windows.json") {
            let name = try vector.text("name")
            let expected = try vector.objects("windows").map { window in
                [try window.number("start"), try window.number("first"), try window.number("last"),
                 try window.number("zeros")]
            }
            XCTAssertEqual(try seen(vector), expected, name)
        }
    }

    func testAfterAWindowThatThrewItGoesOn() {
        var buffer = WindowBuffer(windowLength: 6, hop: 2)
        XCTAssertThrowsError(
            try buffer.push(Array(repeating: 1, count: 6)) { _, _ in throw SoundListenerError("window") })
        var starts: [Int] = []
        buffer.push([1, 1]) { _, start in starts.append(start) }
        XCTAssertEqual(starts, [2])
    }

    private func seen(_ vector: [String: Any]) throws -> [[Double]] {
        var buffer = WindowBuffer(windowLength: try vector.int("window_length"), hop: try vector.int("hop_length"))
        var seen: [[Double]] = []
        func see(_ window: [Float], _ start: Int) {
            let zeros = window.reversed().prefix { $0 == 0 }.count
            seen.append([Double(start), Double(window[0]), Double(window[window.count - 1]), Double(zeros)])
        }
        var position = 0
        let blocks = try XCTUnwrap(vector["blocks"] as? [NSNumber]).map { $0.intValue }
        for block in blocks {
            if block < 0 {
                buffer.skip(-block)
            } else {
                buffer.push((0..<block).map { Float(position + $0 + 1) }, use: see)
            }
            position += abs(block)
        }
        if let rest = buffer.finish() { see(rest, buffer.start) }
        return seen
    }
}
