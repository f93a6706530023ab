import Foundation
import XCTest

@testable import PocketEar

final class ModelCardTests: XCTestCase {
    private func refusal(_ text: String) -> String {
        do {
            _ = try ModelCard(json: Data(text.utf8))
            return ""
        } catch {
            return "\(error)"
        }
    }

    func testLabelsThatDoNotMatchAreRefused() throws {
        var vector = try Vectors.cases("decoder.json")[0]
        vector["labels"] = ["background", "crying_baby", "dog"]
        XCTAssertThrowsError(try card(of: vector)) { error in
            XCTAssertTrue("\(error)".contains("labels and thresholds differ"))
        }
    }

    func testWhatTheReferenceRefusesIsRefused() throws {
        for vector in try Vectors.cases("cards.json") {
            let card = try JSONSerialization.data(withJSONObject: XCTUnwrap(vector["card"]))
            let name = try vector.text("name")
            XCTAssertEqual(refusal(String(decoding: card, as: UTF8.self)) != "", try vector.int("refused") == 1, name)
        }
    }

    func testTheQuietPeakIs0WhereACardHasNone() throws {
        XCTAssertEqual(try plainCard(quietPeak: 0.01).quietPeak, 0.01)
        XCTAssertEqual(try card(of: Vectors.cases("decoder.json")[0]).quietPeak, 0)
    }

    func testWhatIsNotACardIsRefused() {
        XCTAssertTrue(refusal("").contains("cannot be read"))
        XCTAssertTrue(refusal("{}").contains("cannot be read"))
        XCTAssertTrue(refusal("[1, 2]").contains("cannot be read"))
    }
}

#if canImport(CoreML)
final class ModelRunnerTests: XCTestCase {
    /// Runs only where a model lies in the package, as in build/ios.
    func testTheModelInThePackageRuns() async throws {
        guard (try? ModelRunner.source()) != nil else {
            throw XCTSkip("no .mlpackage in Model: run `make run`, and test build/ios")
        }
        let runner = try await ModelRunner()
        let sine = (0..<runner.card.windowLength).map { 0.1 * sinf(Float($0) * 0.2) }
        let scores = try runner.scores(of: sine, carried: false)
        XCTAssertEqual(scores.count, runner.card.labels.count)
        XCTAssertEqual(scores.reduce(0, +), 1, accuracy: 1e-2)
        XCTAssertTrue(try runner.scores(of: [.nan] + sine.dropLast(), carried: false).allSatisfy { $0.isNaN })
    }

    func testWhatIsCarriedDoesNotChangeTheScores() async throws {
        guard (try? ModelRunner.source()) != nil else {
            throw XCTSkip("no .mlpackage in Model: run `make run`, and test build/ios")
        }
        let (carrying, starting) = (try await ModelRunner(), try await ModelRunner())
        let (length, hop) = (carrying.card.windowLength, carrying.card.hopLength)
        let sine = (0..<length + 4 * hop).map { 0.1 * sinf(Float($0 * $0) * 1e-6) }
        for start in stride(from: 0, through: 4 * hop, by: hop) {
            let window = Array(sine[start..<start + length])
            let scores = try carrying.scores(of: window, carried: start > 0)
            XCTAssertEqual(scores, try starting.scores(of: window, carried: false), "\(start)")
        }
    }

    #if canImport(SoundAnalysis)
    func testTheModelOfWindowsIsARequestOfSoundAnalysis() async throws {
        guard (try? ModelRunner.source(ofWindows: true)) != nil else {
            throw XCTSkip("no _window.mlpackage in Model: run `make run`, and test build/ios")
        }
        _ = try await ModelRunner.soundRequest()
    }
    #endif
}
#endif
