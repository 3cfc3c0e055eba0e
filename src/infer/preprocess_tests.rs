//! Against a slow reference written straight from the definitions.

use super::*;
use crate::{
    flow::{ColourMatrix, MediaTime},
    infer::registry::card::{Element, Layout},
    testing::models::Painter,
};

fn input(colour: Colour, resize: Resize, anchor: Anchor) -> Input {
    Input {
        name: "input".to_owned(),
        layout: Layout::Nchw,
        colour,
        element: Element::Float32,
        sizes: vec![[96, 64]],
        resize,
        anchor,
        pad: 114,
        mean: [103.53, 116.28, 123.675],
        std: [57.375, 57.12, 58.395],
    }
}

/// A colourful, smooth picture with an edge.
fn paint(x: usize, y: usize) -> [u8; 3] {
    let edge = if x > 70 { 60 } else { 0 };
    [
        (40 + (x * 2 + y) % 130 / 2 + edge) as u8,
        (90 + x / 3) as u8,
        (170 - y / 3) as u8,
    ]
}

/// Triangle filter over a plane: the value at the centre of target pixel `at` of `count`.
fn weights(from: f64, length: f64, at: usize, count: usize, samples: usize) -> Vec<(usize, f64)> {
    let scale = length / count as f64;
    let support = scale.max(1.0);
    let centre = from + (at as f64 + 0.5) * scale;
    let weight = |sample: usize| (1.0 - ((sample as f64 + 0.5 - centre) / support).abs()).max(0.0);
    let all: Vec<_> = (0..samples)
        .map(|sample| (sample, weight(sample)))
        .filter(|(_, w)| *w > 0.0)
        .collect();
    let sum: f64 = all.iter().map(|(_, w)| w).sum();
    all.into_iter()
        .map(|(sample, w)| (sample, w / sum))
        .collect()
}

/// What `Preparer::colours` should make, by plane, row, column.
fn reference(
    frame: &Frame,
    region: NormRect,
    input: &Input,
    size: Size,
    mapping: Mapping,
) -> Vec<f32> {
    let convert = YuvToRgb::of(frame);
    let (w, h) = (f64::from(frame.size.width), f64::from(frame.size.height));
    let sample = |plane: usize, column: usize, row: usize| {
        let half = if plane == 0 { 1.0 } else { 2.0 };
        let Plane { width, height, .. } = frame.planes[plane];
        let (x0, y0) = (
            f64::from(region.x0) * w / half,
            f64::from(region.y0) * h / half,
        );
        let across = f64::from(region.width()) * w / half;
        let down = f64::from(region.height()) * h / half;
        let xs = weights(x0, across, column, mapping.width, width);
        let ys = weights(y0, down, row, mapping.height, height);
        let value = |x: usize, y: usize| match plane {
            0 => frame.luma_row(y)[x],
            1 => frame.chroma(x, y).0,
            _ => frame.chroma(x, y).1,
        };
        let sum: f64 = ys
            .iter()
            .flat_map(|(y, wy)| xs.iter().map(move |(x, wx)| (*x, *y, wx * wy)))
            .map(|(x, y, weight)| f64::from(value(x, y)) * weight)
            .sum();
        sum.round() as u8
    };
    let mut out = Vec::new();
    for plane in 0..3 {
        for y in 0..size.height as usize {
            for x in 0..size.width as usize {
                let inside = (mapping.left..mapping.left + mapping.width).contains(&x)
                    && (mapping.top..mapping.top + mapping.height).contains(&y);
                let colour = if inside {
                    let (x, y) = (x - mapping.left, y - mapping.top);
                    let rgb = convert.rgb(sample(0, x, y), sample(1, x, y), sample(2, x, y));
                    rgb[if input.colour == Colour::Bgr {
                        2 - plane
                    } else {
                        plane
                    }]
                } else {
                    input.pad
                };
                out.push((f32::from(colour) - input.mean[plane]) / input.std[plane]);
            }
        }
    }
    out
}

fn compare(painter: &Painter, region: NormRect, input: &Input, size: Size) -> Mapping {
    let mut frame = painter.frame(MediaTime::ZERO, paint);
    frame.matrix = ColourMatrix::Bt709;
    let mut out = vec![9.0f32; 5];
    let mapping = Preparer::new()
        .colours(&frame, region, input, size, &mut out)
        .unwrap();
    let expected = reference(&frame, region, input, size, mapping);
    assert_eq!(out.len(), expected.len());
    // Rounding of each plane in two passes, then multiplied by up to 2.1 in the conversion.
    let tolerance = 4.0 / 57.0;
    for (index, (have, want)) in out.iter().zip(&expected).enumerate() {
        assert!(
            (have - want).abs() < tolerance,
            "at {index}: {have} instead of {want}"
        );
    }
    mapping
}

#[test]
fn agrees_with_the_definition_in_every_layout() {
    let size = Size::new(96, 64);
    for layout in [PixelLayout::I420, PixelLayout::Nv12] {
        for range in [ColourRange::Video, ColourRange::Full] {
            for slack in [0, 6] {
                let painter = Painter {
                    layout,
                    range,
                    slack,
                    ..Painter::new(160, 90)
                };
                let card = input(Colour::Bgr, Resize::Letterbox, Anchor::TopLeft);
                let mapping = compare(&painter, NormRect::FULL, &card, size);
                assert_eq!(
                    (mapping.left, mapping.top, mapping.width, mapping.height),
                    (0, 0, 96, 54)
                );
            }
        }
    }
}

#[test]
fn crops_odd_sizes_anchors_and_enlarging() {
    let centre = input(Colour::Rgb, Resize::Letterbox, Anchor::Centre);
    let mapping = compare(
        &Painter::new(91, 121),
        NormRect::FULL,
        &centre,
        Size::new(96, 64),
    );
    assert_eq!(
        (mapping.left, mapping.top, mapping.width, mapping.height),
        (24, 0, 48, 64)
    );
    let stretch = input(Colour::Bgr, Resize::Stretch, Anchor::TopLeft);
    compare(
        &Painter::new(161, 91),
        NormRect::new(0.25, 0.1, 0.9, 0.8),
        &stretch,
        Size::new(64, 32),
    );
    compare(
        &Painter::new(40, 30),
        NormRect::new(0.5, 0.5, 1.0, 1.0),
        &centre,
        Size::new(96, 64),
    );
}

#[test]
fn boxes_find_their_way_back() {
    let card = input(Colour::Bgr, Resize::Letterbox, Anchor::Centre);
    let region = NormRect::new(0.5, 0.25, 1.0, 0.75);
    // Half of 800x600 each way: 400x300 in 96x64 is 85x64 with 5 columns of padding before it.
    let mapping = Mapping::new(region, (400.0, 300.0), Size::new(96, 64), &card);
    assert_eq!((mapping.left, mapping.width, mapping.height), (5, 85, 64));
    assert_eq!(mapping.to_picture([5.0, 0.0, 90.0, 64.0]), region);
    let middle = mapping.to_picture([47.5, 32.0, 47.5, 32.0]);
    assert!((middle.x0 - 0.75).abs() < 1e-6 && (middle.y0 - 0.5).abs() < 1e-6);
}

#[test]
fn bytes_are_left_as_they_are() {
    let card = Input {
        mean: [0.0; 3],
        std: [1.0; 3],
        ..input(Colour::Rgb, Resize::Letterbox, Anchor::TopLeft)
    };
    let red = Painter::new(64, 64).frame(MediaTime::ZERO, |_, _| [81, 90, 240]);
    let mut out: Vec<u8> = Vec::new();
    Preparer::new()
        .colours(&red, NormRect::FULL, &card, Size::new(32, 16), &mut out)
        .unwrap();
    assert_eq!((out[0], out[512 + 31], out[1024 + 16]), (254, 114, 114));
    assert!(out[512] < 3 && out[1024] < 3);
}

#[test]
fn luma_is_in_video_range_whatever_the_camera_sends() {
    let size = Size::new(32, 16);
    let mut out = Vec::new();
    let mut luma = |range, value| {
        let frame = Painter {
            range,
            ..Painter::new(64, 48)
        }
        .frame(MediaTime::ZERO, |_, _| [value, 128, 128]);
        Preparer::new().luma(&frame, size, &mut out).unwrap();
        assert_eq!(out.len(), 512);
        assert!(out.iter().all(|v| *v == out[0]));
        out[0]
    };
    assert_eq!(luma(ColourRange::Video, 77), 77);
    assert_eq!(luma(ColourRange::Full, 0), 16);
    assert_eq!(luma(ColourRange::Full, 255), 235);
    assert_eq!(luma(ColourRange::Full, 128), 126);
}

#[test]
fn a_frame_that_lies_about_its_planes_is_refused() {
    let good = Painter::new(64, 48).frame(MediaTime::ZERO, paint);
    let breakages: [fn(&mut Frame); 5] = [
        |frame| frame.data.truncate(frame.data.len() - 1),
        |frame| frame.planes[1].stride = 8,
        |frame| frame.planes[2].offset = usize::MAX,
        |frame| frame.size = Size::new(128, 48),
        |frame| frame.size = Size::new(0, 0),
    ];
    for breakage in breakages {
        let mut frame = good.clone();
        breakage(&mut frame);
        let result = Preparer::new().luma(&frame, Size::new(32, 16), &mut Vec::new());
        assert!(matches!(result, Err(InferError::BadFrame(_))));
    }
}

#[test]
fn regions_outside_the_picture_become_something_sensible() {
    let full = NormRect::FULL;
    let size = Size::new(640, 480);
    assert_eq!(
        cut(size, NormRect::new(-1.0, 0.5, 0.5, 9.0)),
        NormRect::new(0.0, 0.5, 0.5, 1.0)
    );
    assert_eq!(cut(size, NormRect::new(2.0, 2.0, 3.0, 3.0)), full);
    assert_eq!(cut(size, NormRect::new(f32::NAN, 0.0, 1.0, 1.0)), full);
    assert_eq!(cut(size, NormRect::new(0.5, 0.0, 0.501, 1.0)), full);
}
