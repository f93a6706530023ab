#if canImport(SoundAnalysis) && canImport(CoreML)
import CoreML
import SoundAnalysis

extension ModelRunner {
    /// The model as a request of Apple's SoundAnalysis, for an app that has an SNAudioStreamAnalyzer:
    ///
    ///     let request = try await ModelRunner.soundRequest()
    ///     try analyzer.add(request, withObserver: observer)
    ///
    /// It is of the package's second file, which has the same weights and takes whole windows. It gives
    /// a classification a window; thresholds, smoothing and the quiet peak are then the app's own.
    /// Throws where there is no such file: SoundAnalysis has waveforms only, and no states.
    ///
    /// Not yet run on a device: whether SoundAnalysis accepts an ML Program is not shown.
    public static func soundRequest(
        computeUnits: MLComputeUnits = .cpuAndNeuralEngine
    ) async throws -> SNClassifySoundRequest {
        let runner = try await ModelRunner(model: load(source(ofWindows: true), computeUnits: computeUnits))
        let request = try SNClassifySoundRequest(mlModel: runner.model)
        request.overlapFactor = 1 - Double(runner.card.hopLength) / Double(runner.card.windowLength)
        return request
    }
}
#endif
