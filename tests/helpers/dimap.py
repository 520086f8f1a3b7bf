"""Products of Airbus: DIMAP V2 files of the documented structure next to tiles; all values are made up."""

from __future__ import annotations

from pathlib import Path

from helpers.products import cut, tiled
from helpers.scenes import Pair
from osgeo import gdal

EXTENT = """<EXTENT_TYPE>Bounding_Polygon</EXTENT_TYPE>
      <Vertex><LON>15.0</LON><LAT>36.1</LAT><X>500000</X><Y>4000000</Y><COL>1</COL><ROW>1</ROW></Vertex>
      <Vertex><LON>15.1</LON><LAT>36.1</LAT><X>500384</X><Y>4000000</Y><COL>{columns}</COL><ROW>1</ROW></Vertex>
      <Vertex><LON>15.1</LON><LAT>36.0</LAT><X>500384</X><Y>3999680</Y><COL>{columns}</COL><ROW>{rows}</ROW></Vertex>
      <Vertex><LON>15.0</LON><LAT>36.0</LAT><X>500000</X><Y>3999680</Y><COL>1</COL><ROW>{rows}</ROW></Vertex>
      <Center><LON>15.05</LON><LAT>36.05</LAT><X>500192</X><Y>3999840</Y><COL>1</COL><ROW>1</ROW></Center>"""
MASKS = ("CLD", "SNW", "QTE", "ROI", "SLT", "DET", "VIS")
BAND_IDS = ("B0", "B1", "B2", "B3")
TEMPLATE = """<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="STYLE.XSL"?>
<Dimap_Document>
  <Metadata_Identification>
    <METADATA_FORMAT version="2.15">DIMAP</METADATA_FORMAT>
    <METADATA_PROFILE>{mission}_ORTHO</METADATA_PROFILE>
    <METADATA_SUBPROFILE>PRODUCT</METADATA_SUBPROFILE>
    <METADATA_LANGUAGE>en</METADATA_LANGUAGE>
  </Metadata_Identification>
  <Dataset_Identification>
    <DATASET_TYPE>RASTER_ORTHO</DATASET_TYPE>
    <DATASET_NAME version="1.0">{name}</DATASET_NAME>
    <DATASET_TN_PATH href="ICON_{name}.JPG"/>
    <DATASET_TN_FORMAT>image/jpeg</DATASET_TN_FORMAT>
    <DATASET_QL_PATH href="PREVIEW_{name}.JPG"/>
    <DATASET_QL_FORMAT>image/jpeg</DATASET_QL_FORMAT>
    <Legal_Constraints><COPYRIGHT>\u00a9 invented 2021</COPYRIGHT></Legal_Constraints>
    <Security_Constraints><CLASSIFICATION>U</CLASSIFICATION></Security_Constraints>
  </Dataset_Identification>
  <Dataset_Content>
    <SURFACE_AREA unit="square km">1</SURFACE_AREA>
    <CLOUD_COVERAGE unit="percent">0</CLOUD_COVERAGE>
    <SNOW_COVERAGE unit="percent">0</SNOW_COVERAGE>
    <Dataset_Extent>{extent}</Dataset_Extent>
    <Dataset_Components>{components}</Dataset_Components>
  </Dataset_Content>
  <Product_Information>
    <Producer_Information><PRODUCER_NAME>invented</PRODUCER_NAME></Producer_Information>
    <Delivery_Identification>
      <PRODUCTION_DATE>2021-06-01T10:00:00.000Z</PRODUCTION_DATE>
      <JOB_ID>0000001</JOB_ID>
      <PRODUCT_TYPE>ORTHO</PRODUCT_TYPE>
      <PRODUCT_CODE>{mission}__PANSHARPENED__ORTHO</PRODUCT_CODE>
      <Order_Identification><CUSTOMER_REFERENCE>SO0000001</CUSTOMER_REFERENCE></Order_Identification>
    </Delivery_Identification>
  </Product_Information>
  <Coordinate_Reference_System>
    <Projected_CRS>
      <PROJECTED_CRS_NAME>WGS 84 / UTM zone 33N</PROJECTED_CRS_NAME>
      <PROJECTED_CRS_CODE>urn:ogc:def:crs:EPSG::32633</PROJECTED_CRS_CODE>
    </Projected_CRS>
  </Coordinate_Reference_System>
  <Geoposition>
    <Geoposition_Insert>
      <ULXMAP>500000</ULXMAP><ULYMAP>4000000</ULYMAP><XDIM>{pixel}</XDIM><YDIM>{pixel}</YDIM>
    </Geoposition_Insert>
    <Raster_CRS><RASTER_GEOMETRY>RASTER</RASTER_GEOMETRY></Raster_CRS>
  </Geoposition>
  <Processing_Information>
    <Production_Facility><SOFTWARE version="1.0">invented</SOFTWARE></Production_Facility>
    <Product_Settings>
      <PROCESSING_LEVEL>ORTHO</PROCESSING_LEVEL>
      <SPECTRAL_PROCESSING>{band_mode}</SPECTRAL_PROCESSING>
      <Geometric_Settings><GEOMETRIC_PROCESSING>ORTHO</GEOMETRIC_PROCESSING></Geometric_Settings>
      <Radiometric_Settings><RADIOMETRIC_PROCESSING>REFLECTANCE</RADIOMETRIC_PROCESSING></Radiometric_Settings>
      <Sampling_Settings><RESAMPLING_KERNEL>CUBIC</RESAMPLING_KERNEL></Sampling_Settings>
    </Product_Settings>
    <Processing_Step_List>
      <Processing_Step><ALGORITHM_TYPE>Geometric</ALGORITHM_TYPE></Processing_Step>
    </Processing_Step_List>
  </Processing_Information>
  <Raster_Data>
    <Data_Access>
      <DATA_FILE_ORGANISATION>BAND_COMPOSITE</DATA_FILE_ORGANISATION>
      <DATA_FILE_FORMAT>image/tiff</DATA_FILE_FORMAT>
      <DATA_FILE_TILES>true</DATA_FILE_TILES>
{files}    </Data_Access>
    <Raster_Dimensions>
      <NROWS>{rows}</NROWS><NCOLS>{columns}</NCOLS><NBANDS>{bands}</NBANDS>
      <Tile_Set>
        <NTILES>{count}</NTILES>
        <Regular_Tiling>
          <NTILES_SIZE nrows="{rows}" ncols="{step}"/>
          <NTILES_COUNT ntiles_R="1" ntiles_C="{count}"/>
          <OVERLAP_ROW>0</OVERLAP_ROW><OVERLAP_COL>{overlap}</OVERLAP_COL>
        </Regular_Tiling>
      </Tile_Set>
    </Raster_Dimensions>
    <Raster_Encoding>
      <DATA_TYPE>INTEGER</DATA_TYPE><NBITS>16</NBITS><SIGN>UNSIGNED</SIGN><BYTEORDER>M</BYTEORDER>
      <COMPRESSION_TYPE>NONE</COMPRESSION_TYPE>
    </Raster_Encoding>
    <Raster_Display>
      <Band_Display_Order>
        <RED_CHANNEL>B2</RED_CHANNEL><GREEN_CHANNEL>B1</GREEN_CHANNEL><BLUE_CHANNEL>B0</BLUE_CHANNEL>
      </Band_Display_Order>
      {indices}
      <Special_Value>
        <SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_COUNT>0</SPECIAL_VALUE_COUNT>
      </Special_Value>
      <Special_Value>
        <SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_COUNT>4095</SPECIAL_VALUE_COUNT>
      </Special_Value>
    </Raster_Display>
  </Raster_Data>
  <Radiometric_Data>
    <Dynamic_Range><ACQUISITION_RANGE unit="bits">12</ACQUISITION_RANGE></Dynamic_Range>
    <Radiometric_Calibration>
      <Instrument_Calibration><Band_Measurement_List>{measured}</Band_Measurement_List></Instrument_Calibration>
    </Radiometric_Calibration>
  </Radiometric_Data>
  <Geometric_Data>
    <Refined_Model><GEOMETRIC_MODEL>Rigorous</GEOMETRIC_MODEL></Refined_Model>
    <Use_Area>
      <Located_Geometric_Values>
        <LOCATION_TYPE>Center</LOCATION_TYPE><TIME>2021-05-06T10:11:12.3456789Z</TIME>
        <Acquisition_Angles><AZIMUTH_ANGLE unit="deg">180.1</AZIMUTH_ANGLE></Acquisition_Angles>
        <Solar_Incidences><SUN_ELEVATION unit="deg">60.1</SUN_ELEVATION></Solar_Incidences>
        <Ground_Sample_Distance><GSD_ACROSS_TRACK unit="m">0.7</GSD_ACROSS_TRACK></Ground_Sample_Distance>
      </Located_Geometric_Values>
    </Use_Area>
  </Geometric_Data>
  <Quality_Assessment>
    <Planimetric_Accuracy_Measurement><ACCURACY unit="m">6</ACCURACY></Planimetric_Accuracy_Measurement>
    <Imaging_Quality_Measurement><MEASURE_NAME>Area_Of_Interest (ROI)</MEASURE_NAME></Imaging_Quality_Measurement>
  </Quality_Assessment>
  <Dataset_Sources>
    <Source_Identification>
      <SOURCE_ID>DS_{mission}{index}_202105061011123</SOURCE_ID>
      <SOURCE_TYPE>Strip_Source</SOURCE_TYPE>
      <Strip_Source>
        <MISSION>{mission}</MISSION><MISSION_INDEX>{index}</MISSION_INDEX>
        <INSTRUMENT>{mission}</INSTRUMENT><INSTRUMENT_INDEX>{index}</INSTRUMENT_INDEX>
        <IMAGING_DATE>2021-05-06</IMAGING_DATE><IMAGING_TIME>10:11:12.3Z</IMAGING_TIME><BAND_MODE>{band_mode}</BAND_MODE>
      </Strip_Source>
    </Source_Identification>
  </Dataset_Sources>
</Dimap_Document>
"""


def dimap(
    folder: Path,
    pair: Pair,
    mission: str = "PHR",
    index: str = "1A",
    across: int = 2,
    overlap: int = 0,
    with_indices: bool = True,
    halves_swapped: bool | None = None,
    one_folder: bool = False,
    band_modes: tuple[str, str] = ("", ""),
) -> None:
    """Write a volume with PAN and MS. MS has the bands red, green, blue, nir (and red edge, deep blue).

    `halves_swapped` makes each file of Pleiades Neo list its own bands, and tells whether NED is before RGB. In
    `one_folder`, both images are next to the volume, with short names. `band_modes` replace those of PAN and MS.
    """
    order = ("B2", "B1", "B0", "B3")
    neo = mission == "PNEO"
    for band_mode, source in (
        (band_modes[0] or ("PAN" if neo else "P"), pair.pan),
        (band_modes[1] or ("MS-FS" if neo else "MS"), pair.ms),
    ):
        raster = gdal.Open(str(source))
        name = (
            f"foo{'' if source == pair.pan else 2}"
            if one_folder
            else f"{mission}{index}_{band_mode}_202105061011123_ORT_7569651-00{1 if source == pair.pan else 2}"
        )
        root = folder if one_folder else folder / f"IMG_{mission}{index}_{band_mode}"
        step = -(-raster.RasterXSize // across)
        halves = [("RGB", [1, 2, 3]), ("NED", [4, 5, 6])] if band_mode == "MS-FS" else [("", None)]
        files = ""
        if halves_swapped:
            halves = halves[::-1]
        for word, bands in halves:
            one = cut(source, folder.parent / f"half{word}.tif", bands)
            names = tiled(one, root, f"IMG_{name}{'_' + word if word else ''}" + "_{}.TIF", across, overlap)
            files += "<Data_Files>" + "".join(
                f'<Data_File tile_R="1" tile_C="{c}"><DATA_FILE_PATH href="{n}"/></Data_File>\n'
                for c, n in enumerate(names, start=1)
            ) + (display(word) if halves_swapped is not None else "") + "</Data_Files>\n"  # fmt: skip
        indices = "".join(
            f"<Raster_Index><BAND_ID>{b}</BAND_ID><BAND_INDEX>{i}</BAND_INDEX></Raster_Index>"
            for i, b in enumerate(order, start=1)
        )
        text = TEMPLATE.format(
            mission=mission, name=name, pixel=raster.GetGeoTransform()[1], band_mode=band_mode, files=files,
            rows=raster.RasterYSize, columns=raster.RasterXSize, bands=raster.RasterCount, count=across, step=step,
            overlap=overlap, index=index, components=components(name), measured=measured(),
            extent=EXTENT.format(rows=raster.RasterYSize, columns=raster.RasterXSize),
            indices=f"<Raster_Index_List>{indices}</Raster_Index_List>" if with_indices and band_mode == "MS" else "",
        )  # fmt: skip
        (root / f"DIM_{name}.XML").write_text(text, encoding="utf-8")
        (root / f"RPC_{name}.XML").write_text("<Dimap_Document><Rational_Function_Model/></Dimap_Document>")
        (root / "MASKS").mkdir(exist_ok=True)
        (root / "MASKS" / f"ROI_{name}_MSK.GML").write_text("<gml/>")
    volume = "VOL_PNEO.XML" if neo else "VOL_PHR.XML"
    (folder / volume).write_text("<Dimap_Document><Metadata_Identification/></Dimap_Document>", encoding="utf-8")


def display(word: str) -> str:
    """List the bands of one file of Pleiades Neo. Real lists number NED in several ways; here not consecutively."""
    ids = {"": (("PAN", 1),), "RGB": (("R", 1), ("G", 2), ("B", 3)), "NED": (("NIR", 4), ("RE", 2), ("DB", 3))}[word]
    listed = "".join(
        f"<Raster_Index><BAND_ID>{b}</BAND_ID><BAND_NAME/><BAND_INDEX>{i}</BAND_INDEX></Raster_Index>" for b, i in ids
    )
    nodata = "<SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_COUNT/><Special_Value_Color/>"
    return (
        f"<Raster_Display><Raster_Index_List>{listed}</Raster_Index_List><Band_Display_Order/>"
        f"<Special_Value>{nodata}</Special_Value></Raster_Display>"
    )


def components(name: str) -> str:
    """Masks that go with an image."""
    return "".join(
        f"<Component><COMPONENT_TITLE>{mask}</COMPONENT_TITLE><COMPONENT_CONTENT>Quality mask</COMPONENT_CONTENT>"
        f'<COMPONENT_TYPE>QUALITY</COMPONENT_TYPE><COMPONENT_PATH href="MASKS/{mask}_{name}_MSK.GML"/></Component>\n'
        for mask in MASKS
    )


def measured() -> str:
    """Radiometric calibration of each band, which names bands in another order than the image has them."""
    return "".join(
        f"<Band_Radiance><BAND_ID>{band}</BAND_ID><MEASURE_DESC>Raw radiometric counts</MEASURE_DESC><GAIN>9.4</GAIN>"
        f"<BIAS>0</BIAS></Band_Radiance><Band_Solar_Irradiance><BAND_ID>{band}</BAND_ID><VALUE>1915</VALUE>"
        f"</Band_Solar_Irradiance><Band_Spectral_Range><BAND_ID>{band}</BAND_ID><MIN>0.43</MIN><MAX>0.55</MAX>"
        "</Band_Spectral_Range>\n"
        for band in BAND_IDS
    )
