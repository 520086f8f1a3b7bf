# ruff: noqa: E501 - a table
"""Takes out, one after the other, the code that keeps each promise, and shows that a test then fails.

    python benchmarks/mutations.py [--only 5 9]

Works on a copy of the project in a temporary folder. Prints a table: promise, what was taken out, which test fell.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "docs")


@dataclass(frozen=True)
class Mutation:
    """Replace `old` by `new` once in `file`; one of `tests` has to fail."""

    promise: int
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = [
    Mutation(1, "model/geometry/grids.py", "x = t[0] + window.left * t[1]", "x = t[0]", "tests/geometry/test_grids.py"),
    Mutation(1, "model/fusion/tiles.py", "left=tile.left - self.window.left", "left=tile.left", "tests/fusion/test_pipeline.py -k extent"),
    Mutation(1, "model/geometry/grids.py", "max(0, math.ceil(start - 0.5 - EDGE_TOLERANCE))", "max(0, math.ceil(start - 0.5 - EDGE_TOLERANCE) + 1)", "tests/geometry/test_grids.py"),
    Mutation(2, "model/geometry/grids.py", "if ratio < 1.0 / SMALLEST_RATIO:", "if False:", "tests/fusion/test_refusals.py tests/geometry/test_grids.py"),
    Mutation(2, "model/geometry/grids.py", "if skew > LARGEST_SKEW or", "if", "tests/geometry/test_grids.py"),
    Mutation(2, "model/geometry/grids.py", "if bottom <= top or right <= left:", "if False:", "tests/geometry/test_grids.py"),
    Mutation(2, "model/raster/reader.py", "if (by_points or by_model) and", "if False and", "tests/attacks/test_hostile_rasters.py -k 'rpc or control'"),
    Mutation(3, "model/inference/tile_fuser.py", "self.network.config.halo * steps", "0", "tests/fusion/test_pipeline.py -k tiles"),
    Mutation(3, "model/inference/tile_fuser.py", "// cell * cell, window.top // cell * cell", ", window.top", "tests/fusion/test_pipeline.py -k extent"),
    Mutation(4, "model/fusion/tiles.py", "values = fuser.fuse(", "torch.manual_seed(id(pair)); pair = replace(pair, ms=pair.ms + torch.rand(1)); conditions = condition(pair, place, fuser.statistics); values = fuser.fuse(", "tests/fusion/test_pipeline.py -k bytes"),
    Mutation(4, "fleet/parts.py", "left, top = window.left - plan.window.left, window.top - plan.window.top", "left, top = window.top - plan.window.top, window.left - plan.window.left", "tests/fleet/test_scene.py -k joined"),
    Mutation(4, "fleet/parts.py", "    _refuse_mixtures(scene, made)\n", "", "tests/fleet/test_scene.py -k changed"),
    Mutation(4, "fleet/part_files.py", "match[2] != digest.hexdigest()[:CHECKSUM_DIGITS]", "False", "tests/fleet/test_damage.py -k damaged_part"),
    Mutation(4, "fleet/part_files.py", "if not form.fits(dataset):", "if False:", "tests/fleet/test_damage.py -k name_of_another"),
    Mutation(10, "fleet/scene_state.py", "if fingerprint(child(folder, name)) != expected:", "if False:", "tests/fleet/test_damage.py -k damaged_finished"),
    Mutation(10, "fleet/scene_state.py", 'if values.pop("sha256") != _compute_checksum(values):', 'if not values.pop("sha256"):', "tests/fleet/test_damage.py -k number_in_state"),
    Mutation(4, "model/fusion/remembered.py", "raster.files and on_disk(raster.source.path)", "raster.files", "tests/fusion/test_remembered.py -k no_file"),
    Mutation(4, "model/fusion/measure.py", "torch.set_num_threads(1)", "pass", "tests/fusion/test_measure.py -k threads"),
    Mutation(5, "model/raster/pixel_types.py", "np.copyto(result, kind.type(self.nodata), where=~valid)", "pass", "tests/fusion/test_gaps.py -k nodata"),
    Mutation(5, "model/raster/pixel_types.py", "self._avoid_nodata(result, kind)", "pass", "tests/fusion/test_gaps.py -k never_become"),
    Mutation(5, "model/network/conditioning.py", "ms = fill(ms, known)", "pass", "tests/fusion/test_gaps.py -k nodata_in"),
    Mutation(5, "model/raster/reader.py", "(exact == least) if least == largest else ", "(exact != exact) if least == largest else ", "tests/fusion/test_gaps.py -k users_nodata"),
    Mutation(5, "model/raster/reader.py", "else (exact >= least) & (exact <= largest)", "else (exact != exact)", "tests/algorithms/test_pansharpen.py -k range"),
    Mutation(5, "model/raster/reader.py", "return self._nodata[number] if by_band else self.source.declared(number)", "return self.source.declared(number)", "tests/fusion/test_gaps.py -k beside_a_mask"),
    Mutation(5, "model/raster/reader.py", "flags == gdal.GMF_NODATA and number in self.source.ignored_nodata", "False", "tests/algorithms/test_pansharpen.py -k switched"),
    Mutation(6, "model/raster/pixel_types.py", ".clamp_(low, high)", "", "tests/fusion/test_output_values.py -k wrap"),
    Mutation(6, "model/raster/pixel_types.py", "exact.round_()", "exact.floor_()", "tests/fusion/test_properties.py -k nearest"),
    Mutation(7, "model/raster/writer.py", "band.SetDescription(origin.GetDescription())", "pass", "tests/fusion/test_output_values.py -k properties"),
    Mutation(7, "model/raster/writer.py", "band.SetColorInterpretation(origin.GetColorInterpretation())", "pass", "tests/fusion/test_output_values.py -k properties"),
    Mutation(7, "model/raster/writer.py", 'for domain in ("", "IMAGERY")', 'for domain in ("",)', "tests/raster/test_writer.py -k metadata"),
    Mutation(7, "model/raster/family.py", "for ending in SIDECARS}", "for ending in ()}", "tests/raster/test_delivery.py -k sidecars"),
    Mutation(7, "model/raster/family.py", "sorted(there - kept)", "sorted(there)", "tests/raster/test_delivery.py -k stay"),
    Mutation(7, "model/raster/stack.py", "    band.SetDescription(origin.GetDescription())\n", "    pass\n", "tests/raster/test_stack.py -k kept"),
    Mutation(7, "model/product/inputs.py", "        band.SetDescription(known.name)", "        pass", "tests/product/test_products.py -k bands_are"),
    Mutation(9, "model/product/run.py", "    except CancelledError:\n        raise\n", "", "tests/product/test_products.py -k cancelled"),
    Mutation(12, "model/product/landsat.py", "elif not COMPLETE.search(", "elif not str(", "tests/product/test_refusals.py -k believed"),
    Mutation(22, "model/raster/delivered.py", "gdal.SetConfigOption(name, previous)", "pass", "tests/product/test_products.py -k settings"),
    Mutation(8, "algorithms/result_layer.py", "layer.setRenderer(self.renderer.clone())", "pass", "tests/algorithms/test_pansharpen.py -k looks"),
    Mutation(8, "algorithms/result_layer.py", "layer.pipe().set(each.clone())", "pass", "tests/algorithms/test_result_layer.py -k alone"),
    Mutation(8, "algorithms/result_layer.py", "return _Kept.kept[-1]", "return _Kept.kept.pop()", "tests/algorithms/test_pansharpen.py -k looks"),
    Mutation(9, "model/staging.py", "            made.discard()", "            pass", "tests/fusion/test_refusals.py -k cancel"),
    Mutation(9, "model/fusion/tiles.py", "        progress.check()\n", "", "tests/fusion/test_tiles.py tests/fusion/test_refusals.py -k cancel"),
    Mutation(9, "model/quality/indices.py", "        check()\n", "", "tests/fusion/test_tiles.py -k quality"),
    Mutation(9, "model/staging.py", "[s for s in ENDS if main and", "[s for s in ENDS if False and", "tests/attacks/test_interruptions.py -k terminated"),
    Mutation(9, "model/run_records.py", "            _lock(record.file, wait=False)\n", "", "tests/attacks/test_interruptions.py -k side_by_side"),
    Mutation(10, "model/raster/writer.py", 'self.draft = folder / (path.name if self.direct else "draft.tif")', "self.draft = path", "tests/attacks/test_interruptions.py"),
    Mutation(10, "model/staging.py", "        restored = stale.restore(trusted=False)", "        restored = ()", "tests/attacks/test_interruptions.py -k family"),
    Mutation(10, "model/raster/delivery.py", "        os.replace(new[0], target)", "        target.unlink(missing_ok=True)\n        os.rename(new[0], target)", "tests/raster/test_delivery.py -k one_step"),
    Mutation(10, "model/files.py", "        os.replace(made.folder / path.name, path)", "        path.unlink(missing_ok=True)\n        os.rename(made.folder / path.name, path)", "tests/raster/test_delivery.py -k one_step"),
    Mutation(10, "model/staging.py", "        if not self.kept:\n            shutil", "        if True:\n            shutil", "tests/attacks/test_planted_folders.py -k taken"),
    Mutation(11, "model/staging.py", "            made.restore()\n", "            pass\n", "tests/raster/test_delivery.py -k interrupted"),
    Mutation(27, "model/wording.py", "    if other <= NEGLIGIBLE:\n        return \"more than\"\n", "", "tests/test_wording.py"),
    Mutation(27, "model/progress.py", "        with suppress(Exception):", "        if True:", "tests/fusion/test_degenerate_scenes.py -k in_place"),
    Mutation(27, "engine/outputs.py", "if before.get(path) != state", "if False", "tests/engine/test_outputs.py"),
    Mutation(27, "model/assessment/faults.py", "measurable = fine_pan > 0.0 and coarse_pan > 0.0 and coarse[band] > 0.0", "measurable = True", "tests/assessment/test_degenerate_scenes.py"),
    Mutation(26, "model/staging.py", " and list(identify(folder)) == list(facts[\"identity\"])", "", "tests/attacks/test_planted_folders.py -k another_folder"),
    Mutation(26, "model/staging.py", "open_way and (trusted or _is_same_file(move.place, move.identity))", "open_way", "tests/attacks/test_planted_folders.py -k exchanged"),
    Mutation(26, "model/staging.py", "return moves if all(p.parent in inside for m in moves for p in (m.source, m.place)) else []", "return moves", "tests/attacks/test_planted_folders.py -k leave"),
    Mutation(26, "model/run_records.py", " or (sys.platform != \"win32\" and folder.lstat().st_mode & 0o022)", "", "tests/attacks/test_planted_folders.py -k write"),
    Mutation(26, "model/run_records.py", "found.st_uid == os.geteuid()", "True", "tests/attacks/test_planted_folders.py -k 'write or another_folder'"),
    Mutation(26, "model/raster/family.py", ", allowed_drivers=_self_contained()", "", "tests/raster/test_delivery.py -k planted"),
    Mutation(11, "model/raster/writer.py", "self._verify(self.draft, lossy=False)", "pass", "tests/attacks/test_interruptions.py -k spoiled"),
    Mutation(11, "model/raster/gdal_errors.py", "gdal.UseExceptions()", "pass", "tests/fusion/test_refusals.py -k disk"),
    Mutation(11, "model/raster/places.py", "if needed > free:", "if False:", "tests/attacks/test_hostile_rasters.py -k larger"),
    Mutation(11, "model/raster/places.py", "return draft + (", "return (", "tests/raster/test_places.py -k space"),
    Mutation(6, "model/raster/trial.py", "check_options(driver, form.options)", "pass", "tests/raster/test_creation.py"),
    Mutation(6, "model/raster/creation.py", "and \"PREDICTOR\" not in given", "and False", "tests/raster/test_bits.py -k file_says"),
    Mutation(6, "model/fusion/pipeline.py", "if pair.rounds and measured.spread < FEWEST_STEPS:", "if False:", "tests/raster/test_writer.py -k wipe_out"),
    Mutation(6, "model/fusion/measure.py", "return max(sum(not low", "return min(sum(not low", "tests/raster/test_writer.py -k clipped_away"),
    Mutation(12, "model/raster/reader.py", '            where = f"at row', '            return values, valid\n            where = f"at row', "tests/attacks/test_hostile_rasters.py -k 'damaged or cut'"),
    Mutation(12, "model/raster/bands.py", "if size > LARGEST_BLOCK:", "if False:", "tests/attacks/test_hostile_rasters.py -k gigabytes"),
    Mutation(13, "model/raster/places.py", "os.path.realpath(source) == os.path.realpath(path)", "source == str(path)", "tests/fusion/test_refusals.py -k over_an_input"),
    Mutation(13, "model/raster/places.py", "os.path.samefile(source, path)", "False", "tests/fusion/test_refusals.py -k over_an_input"),
    Mutation(13, "model/raster/places.py", "_refuse_what_is_read(path, source)", "pass", "tests/raster/test_places.py -k behind"),
    Mutation(13, "model/raster/files_behind.py", "waiting += [*files, *_pointed_to(one)]", "waiting += files", "tests/raster/test_places.py -k behind"),
    Mutation(13, "model/raster/delivery.py", "if os.path.lexists(place) and place not in previous:", "if False:", "tests/raster/test_places.py -k header"),
    Mutation(13, "model/finetuning/finetune.py", "str(job.start), ", "", "tests/finetuning/test_refusals.py -k written_over"),
    Mutation(13, "model/raster/places.py", "    _refuse_kind(path)\n", "", "tests/raster/test_places.py -k no_files"),
    Mutation(13, "model/raster/places.py", "if layers or rasters > 1:", "if False:", "tests/raster/test_places.py -k more_than_a_raster"),
    Mutation(14, "model/fusion/tiles.py", "self.window.split(self.plan.side)", "self.window.split(10**6)", "tests/fusion/test_memory.py"),
    Mutation(15, "model/network/weights.py", "if digest in (own or", "if True or (own or", "tests/network/test_weights.py"),
    Mutation(15, "model/network/weights.py", "if stored != set(wanted):", "if False:", "tests/network/test_weights.py"),
    Mutation(15, "model/network/weights.py", "if digest is not None and", "if False and", "tests/network/test_weights.py -k beside"),
    Mutation(15, "model/network/weights.py", "if not bool((value.abs() <= LARGEST_WEIGHT).all()):", "if False:", "tests/network/test_weights.py"),
    Mutation(15, "model/network/weights.py", "if not found <= LARGEST_VELOCITY:", "if False:", "tests/network/test_weights.py -k nonsense"),
    Mutation(15, "model/network/weights.py", "if not least <= values[name] <= most:", "if False:", "tests/network/test_weights.py"),
    Mutation(15, "model/fusion/tiles.py", "if not _finite(numbers, valid):", "if False:", "tests/fusion/test_tiles.py -k finite"),
    Mutation(15, "model/network/weights.py", 'with torch.device("meta"):', "if True:", "tests/attacks/test_hostile_weights.py -k huge"),
    Mutation(16, "engine/worker.py", "line.send(fault=fault_sentence(error), details=traceback.format_exc())", "raise", "tests/algorithms/test_pansharpen.py -k cannot_be_imported"),
    Mutation(22, "model/raster/gdal_errors.py", "                gdal.DontUseExceptions()", "                pass", "tests/fusion/test_refusals.py -k global"),
    Mutation(22, "model/fusion/memory.py", "gdal.SetCacheMax(_CacheLimit.before)", "pass", "tests/fusion/test_refusals.py -k global"),
    Mutation(22, "model/fusion/tiles.py", "torch.set_num_threads(threads_before)", "torch.set_num_threads(threads_before + 1)", "tests/fusion/test_work_plan.py tests/fusion/test_refusals.py -k 'global or threads'"),
    Mutation(1, "model/geometry/grids.py", "right, bottom = np.floor(points.max(0) - 0.5", "right, bottom = np.floor(points.max(0) - 0.6", "tests/geometry/test_grids.py -k covers"),
    Mutation(5, "model/raster/bands.py", "LARGEST_VALUE = 1e30", "LARGEST_VALUE = 3e38", "tests/raster/test_reader.py -k sensor"),
    Mutation(5, "model/geometry/window_pair.py", "FILL_DISTANCE = 8", "FILL_DISTANCE = 1", "tests/network/test_gap_filling.py"),
    Mutation(5, "model/network/gap_filling.py", "WHOLE_SHARE = 0.95", "WHOLE_SHARE = 0.05", "tests/network/test_gap_filling.py"),
    Mutation(5, "model/geometry/window_pair.py", "covered(valid, rows, columns)", "covered(valid, rows, columns, 0.99)", "tests/network/test_gap_filling.py"),
    Mutation(5, "model/raster/reader.py", "if flags & gdal.GMF_ALPHA and self.alpha is None else flags", "if False else flags", "tests/algorithms/test_field_bands.py -k infrared"),
    Mutation(5, "model/raster/reader.py", 'mark = f"mask,{number}"', "pass", "tests/algorithms/test_field_gaps.py -k file_masks"),
    Mutation(5, "model/raster/reader.py", "~(nowhere & mark)", "~mark", "tests/algorithms/test_field_gaps.py -k what_one_band"),
    Mutation(5, "model/raster/reader.py", "~(nowhere & mark)", "~nowhere", "tests/algorithms/test_field_gaps.py -k what_one_band"),
    Mutation(5, "model/raster/reader.py", "np.copyto(values, self.marked.band.ReadAsArray(*place), where=clear)", "pass", "tests/algorithms/test_field_gaps.py -k what_one_band"),
    Mutation(5, "model/fusion/check.py", "highest=form.highest - 1.0", "highest=form.highest", "tests/raster/test_bits.py -k gaps"),
    Mutation(7, "model/raster/writer.py", 'OWN_METADATA = ("STATISTICS_", "OTFM_", "AREA_OR_POINT")', 'OWN_METADATA = ("OTFM_",)', "tests/raster/test_writer.py -k results_own"),
    Mutation(8, "algorithms/result_layer.py", "renderer.setAlphaBand(place.get(renderer.alphaBand(), -1))", "pass", "tests/algorithms/test_field_bands.py -k real_alpha"),
    Mutation(12, "model/raster/integrity.py", "if size < needed:", "if False:", "tests/attacks/test_hostile_rasters.py -k raw"),
    Mutation(12, "model/raster/needed_sizes.py", "before = HEADERS.get(dataset.GetDriver().ShortName, 0)", "before = 0", "tests/attacks/test_hostile_rasters.py -k end_is_missing"),
    Mutation(12, "model/raster/needed_sizes.py", "return _database(file, start)", "return {}", "tests/attacks/test_hostile_rasters.py -k end_is_missing"),
    Mutation(12, "model/raster/needed_sizes.py", "return _pcidsk(file, start)", "return {}", "tests/attacks/test_hostile_rasters.py -k end_is_missing"),
    Mutation(12, "model/raster/needed_sizes.py", "return _virtual(file)", "return {}", "tests/attacks/test_hostile_rasters.py -k end_is_missing"),
    Mutation(12, "model/product/listing.py", "files = tuple(sorted(_within(names or ())))", "files = tuple(sorted(names or ()))", "tests/product/test_listing.py -k left_out"),
    Mutation(12, "model/product/listing.py", "if len(files) > MOST_FILES:", "if False:", "tests/product/test_listing.py -k more_files"),
    Mutation(12, "model/product/metadata.py", "if len(content) > MAX_BYTES:", "if False:", "tests/attacks/test_hostile_products.py -k huge"),
    Mutation(12, "model/raster/delivered.py", "driver.ShortName not in DRIVERS", "False", "tests/attacks/test_hostile_products.py -k virtual"),
    Mutation(12, "model/raster/integrity.py", "if heard:", "if False:", "tests/attacks/test_hostile_rasters.py -k decoders"),
    Mutation(12, "model/fusion/pipeline.py", "raster.refuse_changes()", "pass", "tests/attacks/test_hostile_rasters.py -k overwritten"),
    Mutation(23, "model/geometry/transfer.py", "REACH = 6.0", "REACH = 3.0", "tests/geometry/test_transfer.py -k response"),
    Mutation(23, "model/scene/detail_correlation.py", "reach = int(np.ceil(mtf_reach(FIRST_TRANSFER.rows, window.ratio))) + LARGEST_SHIFT", "reach = 0", "tests/scene/test_registration.py -k gap_of_pan"),
    Mutation(23, "model/network/band_groups.py", "filled = (own + others)[:size]", "filled = own[:size]", "tests/network/test_flow_network.py -k room"),
    Mutation(10, "engine/client.py", "remove_stale_runs(folder)", "pass", "tests/engine/test_client.py -k 'dies or does_not_hear'"),
    Mutation(10, "engine/worker.py", "wait(LAST_WORDS)\n            os._exit(1)", "wait(LAST_WORDS)", "tests/engine/test_client.py -k stuck_ends"),
    Mutation(24, "engine/worker.py", "os._exit(1)", "pass", "tests/engine/test_protocol.py -k receives_no_message"),
    Mutation(16, "engine/packages.py", " - NEVER", "", "tests/engine/test_installation.py -k numpy"),
    Mutation(16, "engine/installation.py", "_try_out(new, progress)\n        swap_in", "swap_in", "tests/engine/test_installation.py -k does_not_load"),
    Mutation(21, "scripts/zip_plugin.py", 'return re.sub(r" ?%", " percent", plain)', "return plain", "tests/test_package.py -k metadata"),
    Mutation(21, "scripts/zip_plugin.py", "if PLACEHOLDER in value and", "if False and", "tests/test_package.py -k placeholders"),
    Mutation(28, "engine/installation.py", 'ONLY_WHEELS = ("--only-binary", ":all:")', "ONLY_WHEELS = ()", "tests/attacks/test_hostile_index.py -k source_packages"),
    Mutation(28, "engine/installation.py", "if addresses :=", "if False and", "tests/attacks/test_hostile_index.py -k address"),
    Mutation(28, "scripts/fetch_scene.py", "if hashlib.sha256(package).hexdigest() == digest:", "if True:", "tests/attacks/test_hostile_index.py -k scene"),
    Mutation(9, "engine/child_process.py", "os.killpg(process.pid, signal.SIGKILL)", "pass", "tests/engine/test_package_staging.py -k kills"),
    Mutation(24, "engine/client.py", 'self.fault = f"it sent {error}"', "pass", "tests/engine/test_protocol.py -k JSON"),
    Mutation(24, "engine/messages.py", "if not any(_has_shape(message, shape) for shape in shapes):", "if False:", "tests/engine/test_protocol.py -k wrong"),
    Mutation(22, "engine/worker.py", "os.dup2(2, 1)", "pass", "tests/engine/test_client.py -k print"),
    Mutation(24, "engine/interpreter.py", 'if not name.upper().startswith("PYTHON") and name not in LAUNCHER_VARIABLES', "", "tests/engine/test_interpreter.py -k launchers"),
    Mutation(24, "engine/client.py", "if engine.began:", "if True:", "tests/engine/test_client.py -k meanwhile"),
    Mutation(16, "engine/worker.py", "if type(job).__name__ not in WITHOUT_TORCH:", "if True:", "tests/engine/test_without_torch.py"),
    Mutation(16, "algorithms/assess.py", "needs_torch = False", "needs_torch = True", "tests/algorithms/test_assess.py -k without_torch"),
    Mutation(2, "model/assessment/candidate.py", "    if float(np.median(found)) < UNRELATED:", "    if False:", "tests/assessment/test_assess.py -k refused"),
    Mutation(2, "model/assessment/candidate.py", "    if round(coarse, RATIO_DIGITS) > COARSEST:", "    if False:", "tests/assessment/test_assess.py -k refused"),
    Mutation(25, "model/assessment/verdict.py", "math.hypot(row, column) >= SHIFTED", "max(abs(row), abs(column)) >= SHIFTED", "tests/assessment/test_assess.py -k half_a_pixel"),
    Mutation(25, "model/assessment/verdict.py", "    if middle > TOO_MUCH:", "    if False:", "tests/assessment/test_assess.py -k planted"),
    Mutation(25, "model/assessment/verdict.py", "    if middle < TOO_LITTLE:", "    if False:", "tests/assessment/test_assess.py -k planted"),
    Mutation(25, "model/assessment/verdict.py", "abs(b.bias) > BIASED", "False", "tests/assessment/test_assess.py -k planted"),
    Mutation(25, "model/assessment/verdict.py", "own.sam > max(ANGLE * interpolated.sam, interpolated.sam + LEAST_ANGLE)", "False", "tests/assessment/test_assess.py -k bad_result"),
    Mutation(25, "model/assessment/verdict.py", "    if own.stretched:", "    if False:", "tests/assessment/test_assess.py -k eight"),
    Mutation(25, "model/assessment/faults.py", "np.flatnonzero(times > SEAM)", "np.flatnonzero(times > 1e9)", "tests/assessment/test_assess.py -k planted"),
    Mutation(25, "model/assessment/faults.py", " & ~_near_fill(pair.pan)", "", "tests/assessment/test_assess.py -k collar"),
    Mutation(25, "model/assessment/candidate.py", "    if lacking >= CLEARLY * lacking_own:", "    if True:", "tests/assessment/test_assess.py -k order"),
    Mutation(25, "model/assessment/candidate.py", "    if lacking >= CLEARLY * lacking_own:", "    if False:", "tests/assessment/test_assess.py -k bad_result"),
    Mutation(25, "model/assessment/candidate.py", "            valid &= (values != self.gap).any(0)", "            pass", "tests/assessment/test_assess.py -k gap_that"),
    Mutation(25, "model/assessment/maps.py", "found.rows + (window.top - top) // BLOCK", "found.rows[::-1]", "tests/assessment/test_assess.py -k map"),
]  # fmt: skip


def fallen(mutation: Mutation, copy: Path) -> str:
    """The first test that fails with the mutation, empty where all pass."""
    path = copy / mutation.file
    text = path.read_text(encoding="utf-8")
    if mutation.old not in text:
        raise SystemExit(f"{mutation.file} does not hold {mutation.old!r} any more; mend the list of mutations.")
    path.write_text(text.replace(mutation.old, mutation.new, 1), encoding="utf-8")
    try:
        words = mutation.tests.split(" -k ")
        chosen = [*words[0].split(), *(["-k", words[1].strip("'")] if len(words) > 1 else [])]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *chosen],
            cwd=copy, capture_output=True, text=True, check=False, timeout=1200,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        )  # fmt: skip
        lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED tests", "ERROR tests"))]
        if done.returncode == 0:
            return ""
        return lines[0].split(" ")[1].split("::")[-1] if lines else f"exit code {done.returncode}"
    finally:
        path.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", type=int, help="numbers of promises; all where not given")
    arguments = parser.parse_args()
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "otfm_pansharpen"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        for mutation in MUTATIONS:
            if arguments.only and mutation.promise not in arguments.only:
                continue
            test = fallen(mutation, copy)
            survived += not test
            what = mutation.old.strip().splitlines()[-1].strip()
            print(f"{mutation.promise:3} | {mutation.file} | {what} | {test or 'NO TEST FAILS'}", flush=True)
    print(f"{survived} without a failing test")
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
