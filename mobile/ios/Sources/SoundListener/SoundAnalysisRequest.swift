#if canImport(SoundAnalysis) && canImport(CoreML)
import SoundAnalysis

extension ModelRunner {
    /// The model as a request of Apple's SoundAnalysis, for an app that has an SNAudioStreamAnalyzer:
    ///
    ///     let request = try await ModelRunner().soundRequest()
    ///     try analyzer.add(request, withObserver: observer)
    ///
    /// It gives a classification a window; thresholds and smoothing are then the app's own. A model
    /// that takes features is refused: SoundAnalysis has waveforms only.
    public func soundRequest() throws -> SNClassifySoundRequest {
        if takesFeatures {
            throw SoundListenerError(
                "SoundAnalysis gives waveforms and this model takes features: use SoundListener, "
                    + "or export with export.ios_front_end: in_model")
        }
        let request = try SNClassifySoundRequest(mlModel: model)
        request.overlapFactor = 1 - Double(card.hopLength) / Double(card.windowLength)
        return request
    }
}
#endif
