#if canImport(SoundAnalysis) && canImport(CoreML)
import SoundAnalysis

extension ModelRunner {
    /// The model as a request of Apple's SoundAnalysis, for an app that has an SNAudioStreamAnalyzer:
    ///
    ///     let request = try await ModelRunner().soundRequest()
    ///     try analyzer.add(request, withObserver: observer)
    ///
    /// It gives a classification a window; thresholds and smoothing are then the app's own.
    public func soundRequest() throws -> SNClassifySoundRequest {
        let request = try SNClassifySoundRequest(mlModel: model)
        request.overlapFactor = 1 - Double(card.hopLength) / Double(card.windowLength)
        return request
    }
}
#endif
