#pragma once

/// The version of this SDK; it also stands in each plugin's manifest.
#define WEIR_SDK_VERSION "0.1.0"
