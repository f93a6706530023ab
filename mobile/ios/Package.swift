// swift-tools-version:5.9
import PackageDescription

let package = Package(
    name: "SoundListener",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "SoundListener", targets: ["SoundListener"])],
    targets: [
        // Copied, not processed: `swift build` does not compile an .mlpackage, so ModelRunner does.
        .target(name: "SoundListener", resources: [.copy("Model")]),
        // The tests read Vectors from where they lie; it is no resource.
        .testTarget(name: "SoundListenerTests", dependencies: ["SoundListener"], exclude: ["Vectors"]),
    ]
)
