//! The engine's and the style picture's errors as GStreamer error messages.

use std::io;

use picture::PictureError;

use super::engine::EngineError;
use super::style_image::StyleError;

pub fn style_message(error: StyleError) -> gst::ErrorMessage {
    match &error {
        StyleError::NotSet | StyleError::Blend { .. } | StyleError::Models { .. } | StyleError::List(_) => {
            gst::error_msg!(gst::ResourceError::Settings, ("{error}"))
        }
        StyleError::Picture { error: PictureError::Io(cause), .. } if cause.kind() == io::ErrorKind::NotFound => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{error}"))
        }
        StyleError::Picture { error: PictureError::Io(_), .. } => {
            gst::error_msg!(gst::ResourceError::OpenRead, ("{error}"))
        }
        StyleError::Picture { .. } => gst::error_msg!(gst::ResourceError::Read, ("{error}")),
    }
}

pub fn engine_message(error: EngineError) -> gst::ErrorMessage {
    match &error {
        EngineError::Missing(_) | EngineError::NotFound(_) => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{error}"))
        }
        EngineError::Unreadable(_) => gst::error_msg!(gst::ResourceError::Read, ("{error}")),
        EngineError::NoDevice(_) | EngineError::Settings(_) => {
            gst::error_msg!(gst::ResourceError::Settings, ("{error}"))
        }
        EngineError::Stopped(_) | EngineError::OutOfMemory(_) | EngineError::Failed(_) => {
            gst::error_msg!(gst::LibraryError::Failed, ("{error}"))
        }
    }
}
