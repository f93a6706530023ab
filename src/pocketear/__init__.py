"""pocketear: from a folder of sounds to gated Android and iOS packages."""
