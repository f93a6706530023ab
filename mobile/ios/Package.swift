// swift-tools-version:5.9
import PackageDescription

let package = Package(
    name: "PocketEar",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "PocketEar", targets: ["PocketEar"])],
    targets: [
        // Copied, not processed: `swift build` does not compile an .mlpackage, so ModelRunner does.
        .target(name: "PocketEar", resources: [.copy("Model"), .copy("PrivacyInfo.xcprivacy")]),
        // The tests read Vectors from where they lie; it is no resource.
        .testTarget(name: "PocketEarTests", dependencies: ["PocketEar"], exclude: ["Vectors"]),
    ]
)
