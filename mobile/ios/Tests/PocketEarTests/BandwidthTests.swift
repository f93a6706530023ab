import Foundation
import XCTest

@testable import PocketEar

final class BandwidthTests: XCTestCase {
    private func vector(_ name: String) throws -> (samples: [Float], bandwidth: Double) {
        let all = try Vectors.cases("bandwidth.json")
        let vector = try XCTUnwrap(all.first { $0["name"] as? String == name })
        return (try vector.samples("steps").map { $0 / 32_768 }, try vector.number("bandwidth"))
    }

    private func meter(blocks: Int) -> BandwidthMeter {
        BandwidthMeter(
            sampleRate: 16_000, seconds: Double(blocks * Spectrum.size) / 16_000, quietPeak: 0.001)
    }

    func testAsInPython() throws {
        for vector in try Vectors.cases("bandwidth.json") {
            let samples = try vector.samples("steps").map { $0 / 32_768 }
            let spectrum = Spectrum()
            for first in stride(from: 0, to: samples.count, by: Spectrum.size) {
                spectrum.add(Array(samples[first..<first + Spectrum.size]))
            }
            let found = cutoff(spectrum.power(), sampleRate: try vector.int("sample_rate"))
            let (bandwidth, name) = (try vector.number("bandwidth"), try vector.text("name"))
            XCTAssertEqual(found, bandwidth, accuracy: 1e-6, name)
        }
    }

    func testItIsMeasuredOnceOverWhatIsNotQuiet() throws {
        let meter = meter(blocks: 2)
        let (samples, bandwidth) = try vector("sampled at 8 kHz before")
        for _ in 0..<10 { XCTAssertNil(meter.push(Array(repeating: 0, count: 2048))) }
        XCTAssertNil(meter.push(Array(samples[..<3000])))
        XCTAssertEqual(try XCTUnwrap(meter.push(Array(samples[3000...]))), bandwidth, accuracy: 1e-6)
        for _ in 0..<10 { XCTAssertNil(meter.push(samples)) }
    }

    func testNoBlockSpansALoss() throws {
        let meter = meter(blocks: 1)
        let (samples, _) = try vector("sampled at 8 kHz before")
        XCTAssertNil(meter.push(Array(samples[..<1500])))
        meter.skip()
        XCTAssertNil(meter.push(Array(samples[..<1500])))
        XCTAssertEqual(try XCTUnwrap(meter.push(Array(samples[1500..<2048]))), 3960.9, accuracy: 0.1)
    }

    /// The states of a listener whose model was trained on sounds up to `trained` Hz.
    private func states(_ name: String, trained: Double = 7000) async throws -> [ListenerState] {
        let text = """
            {"name": "wide", "version": "0.0.0", "labels": ["other", "bark"], "sample_rate": 16000,
             "window_length": 3200, "listener": {"hop_length": 1600, "smoothing": 1, "hysteresis": 0.1,
             "min_seconds": 0, "refractory_seconds": 0, "thresholds": {"bark": 0.5}, "background": ["other"]},
             "bandwidth": \(trained)}
            """
        let card = try ModelCard(json: Data(text.utf8))
        let samples = try vector(name).samples
        let listener = SoundListener(
            card: card, model: { FakeModel() }, microphone: { FakeMicrophone(.repeated(samples)) }, patience: quick)
        let states = Locked<[ListenerState]>([])
        let task = Task {
            for try await _ in listener.events(onState: { state in states.change { $0.append(state) } }) {}
        }
        try await Task.sleep(for: .seconds(1.5))  // 0.26 are measured
        task.cancel()
        _ = await task.result
        return states.value
    }

    func testANarrowMicrophoneIsSaidToBe() async throws {
        let found = try await states("sampled at 8 kHz before")
        XCTAssertEqual(Array(found.prefix(2)), [.starting, .listening])
        guard found.count == 3, case .narrow(let bandwidth) = found[2] else { return XCTFail("\(found)") }
        XCTAssertEqual(bandwidth, 3960.9, accuracy: 300)
    }

    func testAWideOneIsNot() async throws {
        let found = try await states("wide")
        XCTAssertEqual(found, [.starting, .listening])
    }

    func testNorIsOneAsNarrowAsTheTraining() async throws {
        let found = try await states("sampled at 8 kHz before", trained: 3200)
        XCTAssertEqual(found, [.starting, .listening])
    }
}
